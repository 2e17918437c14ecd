-- The tables of all domains. Each has one owner (named above it); only that domain's store writes it.
-- Account-scoped tables begin every key with bucket, so that they can be distributed on it; operators, lots, gates, tariffs and
-- channel accounts are reference tables.
set local lock_timeout = '5s';

-- limit ---------------------------------------------------------------------------------------------------------------
-- Uses of a key (a phone, a nonce) inside a window, where there is no Valkey to count them; losing it only forgets limits.
create table limit_use (
    bucket     smallint not null check (bucket between 0 and 1023),
    key_hash   bytea not null check (length(key_hash) = 32),
    uses       timestamptz[] not null,
    expires_at timestamptz not null,
    primary key (bucket, key_hash)
);
create index limit_use_by_expiry on limit_use (expires_at);

-- operator ------------------------------------------------------------------------------------------------------------
create table operator (
    operator_id     bigint primary key,
    name            text not null unique,
    time_zone       text not null,
    currency        text not null check (currency ~ '^[A-Z]{3}$'),
    minor_exponent  smallint not null check (minor_exponent between 0 and 4),
    day_turn        time not null default '04:00',
    deposit_minor   bigint not null check (deposit_minor >= 0),
    policy          jsonb not null default '{}',
    root_public_key bytea not null check (length(root_public_key) = 32),
    root_secret_sealed bytea not null,
    created_at      timestamptz not null
);

create table operator_token (
    token_hash  bytea primary key check (length(token_hash) = 32),
    operator_id bigint not null references operator,
    role        text not null check (role in ('admin', 'settlement', 'support')),
    name        text not null,
    created_at  timestamptz not null,
    revoked_at  timestamptz,
    unique (operator_id, name)
);

-- Who looked at or changed what, through an operator's token.
create table operator_audit (
    operator_id bigint not null references operator,
    audit_id    bigint not null,
    at          timestamptz not null,
    token_name  text not null,
    role        text not null,
    action      text not null,
    subject     text not null,
    primary key (operator_id, audit_id)
);

-- lot -----------------------------------------------------------------------------------------------------------------
create table lot (
    lot_id      bigint primary key,
    operator_id bigint not null references operator,
    reference   text not null,
    name        text not null,
    time_zone   text not null,
    product     smallint not null default 1 check (product between 0 and 255),
    policy      jsonb not null default '{}',
    created_at  timestamptz not null,
    unique (operator_id, reference)
);

create table lane (
    lane_id    bigint primary key,
    lot_id     bigint not null references lot,
    reference  text not null,
    direction  text not null check (direction in ('entry', 'exit', 'both')),
    created_at timestamptz not null,
    unique (lot_id, reference)
);

-- tariff --------------------------------------------------------------------------------------------------------------
-- The same text may be the tariff of several operators, so the hash alone is not the key.
create table tariff_version (
    operator_id bigint not null references operator,
    sha256      bytea not null check (length(sha256) = 32),
    tariff_id   text not null,
    version     integer not null check (version > 0),
    source      text not null,
    currency    text not null,
    time_zone   text not null,
    created_at  timestamptz not null,
    primary key (operator_id, sha256),
    unique (operator_id, tariff_id, version)
);

create table lot_tariff (
    lot_id      bigint not null references lot,
    valid_from  timestamptz not null,
    operator_id bigint not null,
    sha256      bytea not null,
    primary key (lot_id, valid_from),
    foreign key (operator_id, sha256) references tariff_version
);

-- channel -------------------------------------------------------------------------------------------------------------
create table channel_account (
    channel        text primary key,
    kind           text not null,
    base_url       text not null,
    secret_sealed  bytea not null,
    bill_time_zone text not null,
    created_at     timestamptz not null
);

create table lot_channel (
    lot_id  bigint not null references lot,
    channel text not null references channel_account,
    state   text not null check (state in ('applied', 'accepted', 'testing', 'live', 'suspended', 'closed', 'rejected')),
    updated_at timestamptz not null,
    primary key (lot_id, channel)
);

-- A notification is taken once; the key is the channel's own id of it.
create table channel_notification (
    bucket      smallint not null check (bucket between 0 and 1023),
    channel     text not null,
    dedup_key   text not null,
    order_no    text not null,
    received_at timestamptz not null,
    body_sha256 bytea not null,
    primary key (bucket, channel, dedup_key)
);

-- notice --------------------------------------------------------------------------------------------------------------
create table notice (
    bucket       smallint not null check (bucket between 0 and 1023),
    notice_id    bigint not null,
    kind         text not null,
    recipient_sealed bytea not null,
    body_sealed  bytea not null,
    created_at   timestamptz not null,
    sent_at      timestamptz,
    primary key (bucket, notice_id)
);
create index notice_unsent on notice (bucket, created_at) where sent_at is null;

-- account -------------------------------------------------------------------------------------------------------------
create table account (
    bucket       smallint not null check (bucket between 0 and 1023),
    account_id   bigint not null,
    phone_sealed bytea not null,
    created_at   timestamptz not null,
    primary key (bucket, account_id)
);

-- Global uniqueness of a phone: bucket here is a hash of the phone's blind index, home_bucket is the account's.
create table account_directory (
    bucket      smallint not null check (bucket between 0 and 1023),
    phone_index bytea not null check (length(phone_index) = 32),
    home_bucket smallint not null check (home_bucket between 0 and 1023),
    account_id  bigint not null,
    primary key (bucket, phone_index)
);

create table account_session (
    bucket     smallint not null,
    token_hash bytea not null check (length(token_hash) = 32),
    account_id bigint not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    primary key (bucket, token_hash),
    foreign key (bucket, account_id) references account
);

-- One-time codes and their limits where there is no Valkey; bucket is that of the phone's blind index.
create table one_time_code (
    bucket      smallint not null check (bucket between 0 and 1023),
    phone_index bytea not null,
    issued_at   timestamptz not null,
    code_hash   bytea not null,
    expires_at  timestamptz not null,
    tries       smallint not null default 0,
    used_at     timestamptz,
    primary key (bucket, phone_index, issued_at)
);

-- Several drivers may share a car, so a plate is unique only within an account.
create table vehicle (
    bucket      smallint not null,
    account_id  bigint not null,
    plate_index bytea not null check (length(plate_index) = 32),
    plate_sealed bytea not null,
    vehicle_class text not null default 'car',
    created_at  timestamptz not null,
    primary key (bucket, account_id, plate_index),
    foreign key (bucket, account_id) references account
);

-- agreement -----------------------------------------------------------------------------------------------------------
create table agreement (
    bucket       smallint not null,
    agreement_id bigint not null,
    account_id   bigint not null,
    channel      text not null references channel_account,
    external_no  text not null,
    channel_ref  text,
    state        text not null check (state in ('pending', 'active', 'suspended', 'ended', 'expired')),
    sign_url     text not null,
    created_at   timestamptz not null,
    expires_at   timestamptz not null,
    primary key (bucket, agreement_id),
    unique (bucket, external_no),
    foreign key (bucket, account_id) references account,
    check (state in ('pending', 'expired') or channel_ref is not null)
);

-- card ----------------------------------------------------------------------------------------------------------------
create table card (
    bucket        smallint not null,
    card_id       bigint not null,
    account_id    bigint not null,
    operator_id   bigint not null references operator,
    agreement_id  bigint not null,
    vehicle_class text not null default 'car',
    state         text not null check (state in ('issued', 'active', 'frozen', 'returning', 'returned')),
    deposit_minor bigint not null check (deposit_minor >= 0),
    last_serial   bigint not null default 0,
    created_at    timestamptz not null,
    primary key (bucket, card_id),
    foreign key (bucket, account_id) references account,
    foreign key (bucket, agreement_id) references agreement
);
create index card_by_account on card (bucket, account_id);
create unique index card_one_in_use on card (bucket, account_id, operator_id) where state <> 'returned';

-- Why a card is frozen; it thaws when the last reason is lifted.
create table card_freeze (
    bucket    smallint not null,
    card_id   bigint not null,
    reason    text not null check (reason in ('arrears', 'lost', 'operator', 'risk')),
    frozen_at timestamptz not null,
    primary key (bucket, card_id, reason),
    foreign key (bucket, card_id) references card
);

-- credential ----------------------------------------------------------------------------------------------------------
create table device (
    bucket      smallint not null,
    device_id   bigint not null,
    card_id     bigint not null,
    public_key  bytea not null check (length(public_key) = 32),
    enrolled_at timestamptz not null,
    revoked_at  timestamptz,
    primary key (bucket, device_id),
    unique (bucket, public_key),
    foreign key (bucket, card_id) references card
);

create table issuer_key (
    kid            bigint primary key check (kid between 1 and 4294967295),
    operator_id    bigint not null references operator,
    product        smallint not null,
    public_key     bytea not null check (length(public_key) = 32),
    secret_sealed  bytea not null,
    subject_key_sealed bytea not null,
    not_before     timestamptz not null,
    not_after      timestamptz not null,
    created_at     timestamptz not null,
    check (not_before < not_after)
);

create table credential (
    bucket     smallint not null,
    card_id    bigint not null,
    serial     bigint not null,
    device_id  bigint,
    kid        bigint not null references issuer_key,
    subject    bytea not null check (length(subject) = 16),
    code_key   bytea not null check (length(code_key) = 32),
    code_secret_sealed bytea,
    credential bytea not null,
    issued_at  timestamptz not null,
    not_before timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    primary key (bucket, card_id, serial),
    unique (bucket, code_key),
    foreign key (bucket, card_id) references card,
    -- The server holds the code key exactly when no device does (online codes).
    check ((device_id is null) = (code_secret_sealed is not null))
);
create index credential_by_expiry on credential (bucket, expires_at);

-- gate ----------------------------------------------------------------------------------------------------------------
create table gate (
    gate_id     bigint primary key,
    operator_id bigint not null references operator,
    lot_id      bigint not null references lot,
    lane_id     bigint not null references lane,
    public_key  bytea not null unique check (length(public_key) = 32),
    state       text not null check (state in ('active', 'quarantined', 'retired')),
    created_at  timestamptz not null
);

-- Up to which instant a gate has uploaded all it saw; what the card return waits for. A gate that lost its journal begins a
-- new epoch; the old epoch's row shows what was never uploaded (last_seq > acked_seq).
create table gate_watermark (
    bucket       smallint not null,
    gate_id      bigint not null references gate,
    epoch        bigint not null,
    last_seq     bigint not null default 0,
    acked_seq    bigint not null,
    complete_to  timestamptz not null,
    heartbeat_at timestamptz not null,
    clock_offset_ms bigint not null default 0,
    bundle_version bigint not null default 0,
    primary key (bucket, gate_id, epoch)
);

create table bundle (
    operator_id bigint not null references operator,
    version     bigint not null check (version > 0),
    content_sha256 bytea not null,
    payload     bytea not null,
    signature   bytea not null check (length(signature) = 64),
    issued_at   timestamptz not null,
    expires_at  timestamptz not null,
    primary key (operator_id, version)
);

-- Every event a gate reported, as evidence, once per (gate, epoch, seq); bucket is the gate's.
create table gate_event (
    bucket       smallint not null,
    gate_id      bigint not null references gate,
    epoch        bigint not null,
    seq          bigint not null,
    content_sha256 bytea not null,
    scanned_at   timestamptz not null,
    direction    text not null check (direction in ('entry', 'exit')),
    medium       text not null check (medium in ('code', 'plate', 'ticket')),
    content      jsonb not null,
    gate_verdict text not null,
    verdict      text not null,
    received_at  timestamptz not null,
    primary key (bucket, gate_id, epoch, seq)
);

-- Same event id, other content: kept apart, the gate is quarantined.
create table gate_conflict (
    bucket      smallint not null,
    gate_id     bigint not null references gate,
    epoch       bigint not null,
    seq         bigint not null,
    content_sha256 bytea not null,
    content     jsonb not null,
    received_at timestamptz not null,
    primary key (bucket, gate_id, epoch, seq, content_sha256)
);

-- A verified passage of a card; bucket is the card's.
create table scan (
    bucket      smallint not null,
    gate_id     bigint not null references gate,
    epoch       bigint not null,
    seq         bigint not null,
    card_id     bigint not null,
    operator_id bigint not null,
    lot_id      bigint not null references lot,
    direction   text not null check (direction in ('entry', 'exit')),
    scanned_at  timestamptz not null,
    code_id     bytea not null check (length(code_id) = 16),
    serial      bigint not null,
    state       text not null check (state in ('received', 'applied', 'held', 'rejected')),
    reason      text,
    stay_id     bigint,
    received_at timestamptz not null,
    primary key (bucket, gate_id, epoch, seq),
    unique (bucket, code_id),
    foreign key (bucket, card_id) references card,
    check (state in ('received', 'applied') or reason is not null),
    check (state <> 'applied' or stay_id is not null)
);
create index scan_to_apply on scan (bucket, received_at) where state = 'received';
create index scan_by_card on scan (bucket, card_id, lot_id) where state in ('received', 'held');

-- The same code under another event id: kept, flagged, never charged.
create table scan_replay (
    bucket      smallint not null,
    gate_id     bigint not null references gate,
    epoch       bigint not null,
    seq         bigint not null,
    card_id     bigint not null,
    lot_id      bigint not null references lot,
    code_id     bytea not null,
    scanned_at  timestamptz not null,
    received_at timestamptz not null,
    primary key (bucket, gate_id, epoch, seq)
);

-- parking -------------------------------------------------------------------------------------------------------------
create table stay (
    bucket      smallint not null,
    stay_id     bigint not null,
    card_id     bigint not null,
    operator_id bigint not null references operator,
    lot_id      bigint not null references lot,
    vehicle_class text not null,
    entry_gate_id bigint not null,
    entry_epoch bigint not null,
    entry_seq   bigint not null,
    entry_at    timestamptz not null,
    exit_gate_id bigint,
    exit_epoch  bigint,
    exit_seq    bigint,
    exit_at     timestamptz,
    state       text not null check (state in ('open', 'closed', 'priced', 'abandoned', 'waived')),
    reason      text,
    tariff_sha256 bytea,
    tzdata_version text,
    fee_minor   bigint check (fee_minor >= 0),
    currency    text not null,
    fee_lines   jsonb,
    priced_at   timestamptz,
    charged_at  timestamptz,
    created_at  timestamptz not null,
    primary key (bucket, stay_id),
    foreign key (bucket, card_id) references card,
    foreign key (operator_id, tariff_sha256) references tariff_version (operator_id, sha256),
    check (exit_at is null or exit_at >= entry_at),
    check (state not in ('closed', 'priced') or exit_at is not null),
    check (state <> 'priced' or (tariff_sha256 is not null and fee_minor is not null and fee_lines is not null)),
    check (state not in ('abandoned', 'waived') or reason is not null)
);
create unique index stay_one_open on stay (bucket, card_id, lot_id) where state = 'open';
create index stay_by_card on stay (bucket, card_id, entry_at);
create index stay_by_operator on stay (operator_id, entry_at);
create index stay_to_price on stay (bucket) where state = 'closed';
create index stay_to_charge on stay (bucket, priced_at) where state = 'priced' and fee_minor > 0 and charged_at is null;

-- ledger --------------------------------------------------------------------------------------------------------------
create table business_day (
    operator_id bigint not null references operator,
    day         date not null,
    state       text not null check (state in ('open', 'closing', 'closed')),
    opened_at   timestamptz not null,
    closing_at  timestamptz,
    closed_at   timestamptz,
    totals      jsonb,
    sha256      bytea,
    primary key (operator_id, day),
    check ((state = 'closed') = (closed_at is not null and totals is not null and sha256 is not null))
);
create unique index business_day_one_open on business_day (operator_id) where state = 'open';

-- A row is a transfer, so the book balances by construction; (code, reference) makes posting idempotent.
create table ledger_transfer (
    bucket       smallint not null check (bucket between 0 and 1023),
    code         text not null,
    reference    text not null,
    operator_id  bigint not null references operator,
    business_day date not null,
    debit_kind   text not null,
    debit_owner  text not null,
    credit_kind  text not null,
    credit_owner text not null,
    amount_minor bigint not null check (amount_minor > 0),
    currency     text not null,
    occurred_at  timestamptz not null,
    posted_at    timestamptz not null,
    primary key (bucket, code, reference),
    foreign key (operator_id, business_day) references business_day,
    check ((debit_kind, debit_owner) is distinct from (credit_kind, credit_owner))
);
create index ledger_by_day on ledger_transfer (operator_id, business_day);

-- charge --------------------------------------------------------------------------------------------------------------
-- The charge of a stay has the stay's id, the deposit of a card has the card's id.
create table charge (
    bucket         smallint not null,
    charge_id      bigint not null,
    kind           text not null check (kind in ('stay', 'deposit')),
    card_id        bigint not null,
    operator_id    bigint not null references operator,
    lot_id         bigint references lot,
    gross_minor    bigint not null check (gross_minor > 0),
    discount_minor bigint not null default 0 check (discount_minor >= 0),
    net_minor      bigint not null check (net_minor > 0),
    currency       text not null,
    state          text not null check (state in ('due', 'attempting', 'paid', 'arrears', 'waived', 'part_refunded', 'refunded')),
    business_day   date not null,
    due_at         timestamptz not null,
    next_attempt_at timestamptz,
    attempt_count  smallint not null default 0,
    declined_count smallint not null default 0,
    paid_at        timestamptz,
    refunded_minor bigint not null default 0,
    created_at     timestamptz not null,
    primary key (bucket, charge_id),
    foreign key (bucket, card_id) references card,
    check (net_minor = gross_minor - discount_minor),
    check ((state in ('paid', 'part_refunded', 'refunded')) = (paid_at is not null)),
    check (refunded_minor between 0 and net_minor)
);
create index charge_due on charge (bucket, next_attempt_at) where state in ('due', 'arrears') and next_attempt_at is not null;
create index charge_by_card on charge (bucket, card_id);
create index charge_declined on charge (operator_id) where kind = 'stay' and state = 'due' and declined_count > 0;

create table attempt (
    bucket       smallint not null,
    charge_id    bigint not null,
    number       smallint not null check (number > 0),
    order_no     text not null check (order_no ~ '^[0-9A-Za-z]{8,32}$'),
    purpose      text not null check (purpose in ('deduct', 'repay', 'deposit')),
    channel      text not null references channel_account,
    payer_ref    text not null,
    amount_minor bigint not null check (amount_minor > 0),
    request      bytea not null,
    state        text not null check (state in ('recorded', 'sent', 'succeeded', 'declined', 'unknown', 'closed')),
    surplus      boolean not null default false,
    owner        text not null,
    created_at   timestamptz not null,
    sent_at      timestamptz,
    unknown_at   timestamptz,
    answered_at  timestamptz,
    next_query_at timestamptz,
    query_count  smallint not null default 0,
    reason       text,
    raw_code     text,
    channel_no   text,
    channel_paid_at timestamptz,
    primary key (bucket, charge_id, number),
    unique (bucket, order_no),
    foreign key (bucket, charge_id) references charge,
    check (state <> 'succeeded' or (channel_no is not null and channel_paid_at is not null)),
    check (state not in ('succeeded', 'declined', 'closed') or answered_at is not null),
    check (not surplus or state = 'succeeded')
);
-- At most one attempt of a charge may be able to succeed; a second success is kept as surplus and refunded.
create unique index attempt_one_live on attempt (bucket, charge_id)
    where state in ('recorded', 'sent', 'unknown') or (state = 'succeeded' and not surplus);
create index attempt_by_channel_day on attempt (channel, channel_paid_at) where state = 'succeeded';
create index attempt_surplus on attempt (bucket, answered_at) where surplus;
create index attempt_to_query on attempt (bucket, next_query_at) where state in ('recorded', 'sent', 'unknown');

-- refund --------------------------------------------------------------------------------------------------------------
create table refund (
    bucket       smallint not null,
    refund_no    text not null check (refund_no ~ '^[0-9A-Za-z]{8,32}$'),
    charge_id    bigint not null,
    order_no     text not null,
    channel      text not null references channel_account,
    reason       text not null check (reason in ('deposit_return', 'surplus', 'correction')),
    amount_minor bigint not null check (amount_minor > 0),
    total_minor  bigint not null,
    currency     text not null,
    operator_id  bigint not null references operator,
    card_id      bigint not null,
    state        text not null check (state in ('recorded', 'sent', 'succeeded', 'declined', 'unknown')),
    created_at   timestamptz not null,
    sent_at      timestamptz,
    answered_at  timestamptz,
    next_try_at  timestamptz,
    try_count    smallint not null default 0,
    channel_refunded_at timestamptz,
    raw_code     text,
    primary key (bucket, refund_no),
    foreign key (bucket, charge_id) references charge,
    check (amount_minor <= total_minor)
);
create unique index refund_deposit_once on refund (bucket, charge_id) where reason = 'deposit_return';
create unique index refund_surplus_once on refund (bucket, order_no) where reason = 'surplus';
create index refund_by_channel_day on refund (channel, channel_refunded_at) where state = 'succeeded';
create index refund_open on refund (bucket, next_try_at) where state in ('recorded', 'sent', 'unknown');

-- arrears -------------------------------------------------------------------------------------------------------------
-- One row per charge that a cut-off counted as arrears.
create table arrears (
    bucket       smallint not null,
    charge_id    bigint not null,
    card_id      bigint not null,
    operator_id  bigint not null references operator,
    business_day date not null,
    amount_minor bigint not null check (amount_minor > 0),
    opened_at    timestamptz not null,
    cleared_at   timestamptz,
    primary key (bucket, charge_id),
    foreign key (bucket, charge_id) references charge
);
create index arrears_open on arrears (bucket, card_id) where cleared_at is null;

-- card_return ---------------------------------------------------------------------------------------------------------
create table card_return (
    bucket         smallint not null,
    return_id      bigint not null,
    card_id        bigint not null,
    account_id     bigint not null,
    operator_id    bigint not null references operator,
    state          text not null check (state in ('requested', 'waiting', 'blocked', 'releasing', 'completed', 'withdrawn')),
    blocked_reason text,
    blocked_count  smallint not null default 0,
    requested_at   timestamptz not null,
    release_after  timestamptz not null,
    decided_at     timestamptz,
    next_try_at    timestamptz,
    ended_at       timestamptz,
    primary key (bucket, return_id),
    foreign key (bucket, card_id) references card,
    check ((state = 'blocked') = (blocked_reason is not null)),
    check ((state in ('completed', 'withdrawn')) = (ended_at is not null))
);
create unique index card_return_one_open on card_return (bucket, card_id) where state not in ('completed', 'withdrawn');

-- A gate that an operator excepted by name from the wait of a return.
create table return_exception (
    operator_id bigint not null references operator,
    gate_id     bigint not null references gate,
    until_at    timestamptz not null,
    token_name  text not null,
    created_at  timestamptz not null,
    primary key (operator_id, gate_id, created_at)
);

-- reconciliation ------------------------------------------------------------------------------------------------------
create table reconciliation_run (
    channel     text not null references channel_account,
    bill_day    date not null,
    bill_sha256 bytea not null,
    matched     integer not null,
    broken      integer not null,
    ours_minor  bigint not null,
    theirs_minor bigint not null,
    ran_at      timestamptz not null,
    primary key (channel, bill_day)
);

create table reconciliation_break (
    channel      text not null references channel_account,
    bill_day     date not null,
    kind         text not null check (kind in ('pay', 'refund')),
    number       text not null,
    class        text not null check (class in ('amount_differs', 'ours_only', 'theirs_only', 'state_differs', 'duplicate_row')),
    ours_minor   bigint,
    theirs_minor bigint,
    resolved_at  timestamptz,
    primary key (channel, bill_day, kind, number)
);

-- jobs ----------------------------------------------------------------------------------------------------------------
-- Up to which business instant a worker has done all that was due; lag is a figure, and simulations wait for it.
create table worker_progress (
    owner        text primary key,
    caught_up_to timestamptz not null,
    seen_at      timestamptz not null
);
