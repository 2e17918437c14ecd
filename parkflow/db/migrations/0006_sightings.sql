-- Passages that do not say whose card they are: seen by plate or ticket, or let through by a hand on the barrier.
set local lock_timeout = '5s';

-- account -------------------------------------------------------------------------------------------------------------
-- From a plate to the accounts that entered it: bucket here is a hash of the plate's blind index, home_bucket is the account's.
-- Several drivers may share a car.
create table plate_directory (
    bucket      smallint not null check (bucket between 0 and 1023),
    plate_index bytea not null check (length(plate_index) = 32),
    home_bucket smallint not null check (home_bucket between 0 and 1023),
    account_id  bigint not null,
    primary key (bucket, plate_index, account_id)
);
-- The plates that are there already. The bucket is worked out as the application does it: the last two bytes of SHA-256 over
-- length and value, modulo 1,024.
insert into plate_directory (bucket, plate_index, home_bucket, account_id)
select ((get_byte(hashed.digest, 30) << 8 | get_byte(hashed.digest, 31)) & 1023)::smallint, v.plate_index, v.bucket, v.account_id
  from vehicle v
 cross join lateral (select sha256('\x00000020'::bytea || v.plate_index) as digest) as hashed;

-- gate ----------------------------------------------------------------------------------------------------------------
-- One row per passage without a code; bucket is that of what was seen, or the gate's where nothing can be looked up. What was seen is
-- sealed and found by its blind index. `look_at` is when the matching looks at it (again); null: not by itself.
create table sighting (
    bucket      smallint not null check (bucket between 0 and 1023),
    gate_id     bigint not null,
    epoch       bigint not null,
    seq         bigint not null,
    sighting_id bigint not null,
    operator_id bigint not null,
    lot_id      bigint not null,
    direction   text not null check (direction in ('entry', 'exit')),
    medium      text not null check (medium in ('plate', 'ticket', 'lift')),
    seen_index  bytea check (length(seen_index) = 32),
    seen_sealed bytea,
    lifted_by   text,
    scanned_at  timestamptz not null,
    earliest_at timestamptz,
    latest_at   timestamptz,
    received_at timestamptz not null,
    state       text not null check (state in ('received', 'held', 'noted', 'matched', 'dismissed')),
    reason      text,
    card_id     bigint,
    look_at     timestamptz,
    decided_at  timestamptz,
    decided_by  text,
    primary key (bucket, gate_id, epoch, seq),
    unique (bucket, sighting_id),
    check ((medium = 'lift') = (seen_sealed is null)),
    check (medium <> 'lift' or seen_index is null),
    check ((earliest_at is null) = (latest_at is null) and earliest_at <= latest_at),
    check (state = 'received' or reason is not null),
    check ((state = 'matched') = (card_id is not null)),
    check ((state in ('matched', 'dismissed')) = (decided_at is not null and decided_by is not null)),
    check (look_at is null or state in ('received', 'held'))
);
create index sighting_to_look on sighting (bucket, look_at) where look_at is not null;
create index sighting_by_seen on sighting (bucket, seen_index) where seen_index is not null;
create index sighting_by_operator on sighting (operator_id, scanned_at, sighting_id) where state in ('held', 'noted');

-- What people look through for fraud, a small part of all events: barriers raised by hand, and plates that the gate refused.
create index gate_event_by_hand on gate_event (bucket, gate_id, scanned_at)
    where content ? 'manual' or (medium = 'plate' and gate_verdict <> 'accepted');
