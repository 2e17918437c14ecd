-- What the machinery itself needs: the history of state changes, and who works on which bucket.
set local lock_timeout = '5s';

-- One row per transition of a low-volume machine (agreement, card, card return, lot channel, business day).
create table state_change (
    bucket     smallint not null check (bucket between 0 and 1023),
    machine    text not null,
    subject_id bigint not null,
    at         timestamptz not null,
    event      text not null,
    from_state text not null,
    to_state   text not null,
    reason     text,
    actor      text,
    primary key (bucket, machine, subject_id, at, event)
);

-- Which worker may write a bucket's rows, until when by real (not business) time. A new owner raises the epoch; statements that
-- join (bucket, epoch) are thereby fenced against an owner that was lost.
create table bucket_lease (
    bucket     smallint primary key check (bucket between 0 and 1023),
    owner      text not null,
    epoch      bigint not null check (epoch >= 0),
    expires_at timestamptz not null
);
insert into bucket_lease (bucket, owner, epoch, expires_at)
select bucket, '', 0, '-infinity' from generate_series(0, 1023) as bucket;
