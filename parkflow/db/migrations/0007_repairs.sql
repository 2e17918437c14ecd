-- Stays that are repaired when late scans change the picture: how their ends are known, what they were before, what a person decided,
-- and what the money had to follow.
set local lock_timeout = '5s';

-- gate ----------------------------------------------------------------------------------------------------------------
-- A scan that was put aside (it repeated another, or was never completed) may count after all when a late one arrives.
create index scan_held on scan (operator_id) where state = 'held';
create index scan_set_aside on scan (bucket, card_id, lot_id, scanned_at) where state = 'rejected';

-- parking -------------------------------------------------------------------------------------------------------------
-- held: waits for a person. void: turned out to be no stay. marks: how its ends are known (parking/marks.py). version: grows with every
-- repair; whoever repairs writes the next one. corrections: how often the stay changed after it was over, adjusted: up to which of them
-- the money has followed. An end that no gate saw has no event, and a mark that says whence it is.
alter table stay
    alter column entry_gate_id drop not null,
    alter column entry_epoch drop not null,
    alter column entry_seq drop not null,
    add column marks text[] not null default '{}',
    add column version integer not null default 0,
    add column corrections integer not null default 0,
    add column adjusted integer not null default 0,
    add column missing_told_at timestamptz,
    drop constraint stay_state_check,
    add constraint stay_state_check check (state in ('open', 'held', 'closed', 'priced', 'abandoned', 'waived', 'void')),
    add constraint stay_reason check (state not in ('abandoned', 'waived', 'held', 'void') or reason is not null),
    add constraint stay_marks check (marks <@ array['clock_doubt', 'cross_medium', 'double_entry', 'missing_exit',
        'exit_from_next_entry', 'exit_at_maximum', 'exit_by_operator', 'entry_at_maximum', 'entry_by_operator',
        'abandoned_by_operator', 'waived_by_operator']),
    add constraint stay_entry_known check (num_nulls(entry_gate_id, entry_epoch, entry_seq) = 0
        or (num_nulls(entry_gate_id, entry_epoch, entry_seq) = 3 and marks && array['entry_at_maximum', 'entry_by_operator'])),
    add constraint stay_exit_known check (num_nulls(exit_gate_id, exit_epoch, exit_seq) = 0
        or (num_nulls(exit_gate_id, exit_epoch, exit_seq) = 3
            and (exit_at is null or marks && array['exit_from_next_entry', 'exit_at_maximum', 'exit_by_operator']))),
    add constraint stay_adjusted check (adjusted between 0 and corrections);
create index stay_to_adjust on stay (bucket) where corrections > adjusted and charged_at is not null;

-- Drivers are told once that no gate saw them leave.
create index stay_to_tell on stay (bucket) where missing_told_at is null and 'missing_exit' = any (marks);
create index stay_held on stay (operator_id, entry_at) where state = 'held';

-- What a stay was before each repair that came after its end, and why it is another now; its old fee can still be computed from this.
create table stay_correction (
    bucket       smallint not null check (bucket between 0 and 1023),
    stay_id      bigint not null,
    number       integer not null check (number > 0),
    reason       text not null check (reason in ('exit_arrived', 'exit_replaced', 'exit_reassigned', 'exit_bound_moved',
                     'entry_repeated', 'entry_arrived', 'stay_revived', 'decided', 'account_resettled')),
    corrected_at timestamptz not null,
    was_state    text not null,
    was_entry_at timestamptz not null,
    was_exit_at  timestamptz,
    was_marks    text[] not null,
    was_fee_minor bigint,
    was_tariff_sha256 bytea,
    was_fee_lines jsonb,
    primary key (bucket, stay_id, number),
    foreign key (bucket, stay_id) references stay
);

-- What a person decided of a stay or of a scan that waits; pairing reads it like a scan. subject_id: of the stay, or derived from the
-- scan's key. about_at: the stay's entry, or when the scan was made. A second decision replaces the first one, see number.
create table stay_decision (
    bucket      smallint not null check (bucket between 0 and 1023),
    subject_id  bigint not null,
    number      integer not null check (number > 0),
    card_id     bigint not null,
    lot_id      bigint not null references lot,
    operator_id bigint not null references operator,
    stay_id     bigint,
    gate_id     bigint,
    epoch       bigint,
    seq         bigint,
    about_at    timestamptz not null,
    verdict     text not null check (verdict in ('exit_at', 'entry_at', 'abandon', 'waive', 'reject')),
    at          timestamptz,
    token_name  text not null,
    decided_at  timestamptz not null,
    applied_at  timestamptz,
    primary key (bucket, subject_id, number),
    foreign key (bucket, card_id) references card,
    constraint stay_decision_subject 
        check (num_nulls(gate_id, epoch, seq) = case when stay_id is null then 0 else 3 end),
    constraint stay_decision_instant check ((verdict in ('exit_at', 'entry_at')) = (at is not null))
);
create index stay_decision_by_card on stay_decision (bucket, card_id, lot_id);
create index stay_decision_to_apply on stay_decision (bucket) where applied_at is null;

-- charge --------------------------------------------------------------------------------------------------------------
-- What an adjustment raises has an id of its own; the row in `adjustment` says of which stay it is.
alter table charge
    drop constraint charge_kind_check,
    add constraint charge_kind_check check (kind in ('stay', 'deposit', 'adjustment'));
drop index charge_declined;
create index charge_declined on charge (operator_id) where kind <> 'deposit' and state = 'due' and declined_count > 0;

-- adjustment ----------------------------------------------------------------------------------------------------------
-- The money following a corrected stay, in steps: `from_minor` is what its charges came to before, `to_minor` what its fee is now.
-- short_minor: what should have gone back and could not, because a person had given it back already.
create table adjustment (
    bucket         smallint not null check (bucket between 0 and 1023),
    stay_id        bigint not null,
    number         integer not null check (number > 0),
    operator_id    bigint not null references operator,
    card_id        bigint not null,
    correction     integer not null check (correction > 0),
    reason         text not null,
    from_minor     bigint not null check (from_minor >= 0),
    to_minor       bigint not null check (to_minor >= 0),
    waived_minor   bigint not null check (waived_minor >= 0),
    raised_minor   bigint not null check (raised_minor >= 0),
    refunded_minor bigint not null check (refunded_minor >= 0),
    short_minor    bigint not null check (short_minor >= 0),
    charge_id      bigint,
    currency       text not null,
    adjusted_at    timestamptz not null,
    primary key (bucket, stay_id, number),
    unique (bucket, charge_id),
    foreign key (bucket, stay_id) references stay,
    foreign key (bucket, stay_id, correction) references stay_correction (bucket, stay_id, number),
    check (to_minor <> from_minor),
    check ((raised_minor > 0) = (charge_id is not null)),
    check (to_minor - from_minor = raised_minor - waived_minor - refunded_minor - short_minor)
);
