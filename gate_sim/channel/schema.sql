-- The channel's own book (SQLite). Amounts are minor units, times milliseconds since the Unix epoch.
create table if not exists wallet (
    wallet      text primary key,
    funds_minor integer not null check (funds_minor >= 0),
    plan        text not null,
    order_count integer not null default 0,
    refund_count integer not null default 0
) strict;

create table if not exists agreement (
    external_no text primary key,
    ref         text not null unique,
    wallet      text references wallet,
    state       text not null check (state in ('pending', 'active', 'ended')),
    created_ms  integer not null,
    check (state = 'pending' or wallet is not null)
) strict;

-- The first sight of an order or refund number, kept also when it had no effect: the plan is used once. Its place among the
-- wallet's orders or refunds (0 without a wallet) decides what happens to it, so that our numbers need not repeat in a rerun.
create table if not exists arrival (
    kind   text not null check (kind in ('order', 'refund')),
    number text not null,
    body_sha256 text not null,
    place  integer not null,
    primary key (kind, number)
) strict;

create table if not exists orders (
    order_no      text primary key,
    agreement_ref text not null,
    wallet        text,
    amount_minor  integer not null check (amount_minor > 0),
    currency      text not null,
    state         text not null check (state in ('pending', 'succeeded', 'declined', 'closed')),
    final_state   text not null check (final_state in ('succeeded', 'declined', 'closed')),
    reason        text,
    channel_no    text not null unique,
    created_ms    integer not null,
    decided_ms    integer not null,
    refunded_minor integer not null default 0 check (refunded_minor between 0 and amount_minor)
) strict;
create index if not exists orders_by_decision on orders (decided_ms);

create table if not exists refund (
    refund_no    text primary key,
    order_no     text not null references orders,
    amount_minor integer not null check (amount_minor > 0),
    channel_no   text not null unique,
    decided_ms   integer not null
) strict;

create table if not exists notification (
    id     text not null,
    copy   integer not null,
    body   text not null,
    due_ms integer not null,
    tries  integer not null default 0,
    done   integer not null default 0,
    primary key (id, copy)
) strict;
create index if not exists notification_due on notification (due_ms) where done = 0;
