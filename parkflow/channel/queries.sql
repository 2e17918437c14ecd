-- name: upsert_account
-- $1 channel, $2 kind, $3 base url, $4 secret sealed, $5 bill time zone, $6 now
insert into channel_account as a (channel, kind, base_url, secret_sealed, bill_time_zone, created_at)
values ($1, $2, $3, $4, $5, $6)
on conflict (channel) do update
   set base_url = excluded.base_url, secret_sealed = excluded.secret_sealed, bill_time_zone = excluded.bill_time_zone
 where a.kind = excluded.kind
returning channel;

-- name: has_accounts
-- A process may start before its database is migrated, and then says so itself.
select to_regclass('channel_account') is not null;

-- name: read_accounts
select channel, kind, base_url, secret_sealed, bill_time_zone from channel_account order by channel;

-- name: insert_lot_channel
-- $1 lot, $2 channel, $3 state, $4 now
insert into lot_channel (lot_id, channel, state, updated_at)
values ($1, $2, $3, $4)
on conflict do nothing
returning state;

-- name: read_lot_channel
-- $1 lot, $2 channel
select state from lot_channel where lot_id = $1 and channel = $2;

-- name: read_lot_channels
-- Which lots stand how at which channel. $1 lot[], $2 channel[] (pairs)
select l.lot_id, l.channel, l.state
  from unnest($1::bigint[], $2::text[]) as p (lot_id, channel)
  join lot_channel l on l.lot_id = p.lot_id and l.channel = p.channel;

-- name: insert_notification
-- The same notification comes several times; only the first is news. $1 bucket, $2 channel, $3 key, $4 our number, $5 now,
-- $6 sha256 of the body
insert into channel_notification (bucket, channel, dedup_key, order_no, received_at, body_sha256)
values ($1, $2, $3, $4, $5, $6)
on conflict (bucket, channel, dedup_key) do nothing
returning bucket;
