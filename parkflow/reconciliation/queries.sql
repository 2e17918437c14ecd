-- name: lines_by_number
-- Our lines under the numbers that a bill has, in whatever state. The buckets come from the order numbers.
-- $1 channel, $2 kind[], $3 bucket[], $4 number[]
select 'pay' as kind, a.order_no as number, a.amount_minor, c.currency, a.state
  from unnest($2::text[], $3::smallint[], $4::text[]) as k (kind, bucket, number)
  join attempt a on a.bucket = k.bucket and a.order_no = k.number
  join charge c on c.bucket = a.bucket and c.charge_id = a.charge_id
 where k.kind = 'pay' and a.channel = $1
union all
select 'refund', f.refund_no, f.amount_minor, f.currency, f.state
  from unnest($2::text[], $3::smallint[], $4::text[]) as k (kind, bucket, number)
  join refund f on f.bucket = k.bucket and f.refund_no = k.number
 where k.kind = 'refund' and f.channel = $1;

-- name: lines_of_day
-- What we hold for done at the channel in a span of the channel's own time. $1 channel, $2 from, $3 to (not in it)
select 'pay' as kind, a.order_no as number, a.amount_minor, c.currency, a.state
  from attempt a
  join charge c on c.bucket = a.bucket and c.charge_id = a.charge_id
 where a.channel = $1 and a.state = 'succeeded' and a.channel_paid_at >= $2 and a.channel_paid_at < $3
union all
select 'refund', f.refund_no, f.amount_minor, f.currency, f.state
  from refund f
 where f.channel = $1 and f.state = 'succeeded' and f.channel_refunded_at >= $2 and f.channel_refunded_at < $3;

-- name: bill_time_zone
-- $1 channel
select bill_time_zone from channel_account where channel = $1;

-- name: upsert_run
-- The newest comparison of a day stands. $1 channel, $2 bill_day, $3 bill_sha256, $4 matched, $5 broken, $6 ours_minor,
-- $7 theirs_minor, $8 now
insert into reconciliation_run (channel, bill_day, bill_sha256, matched, broken, ours_minor, theirs_minor, ran_at)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (channel, bill_day) do update
   set bill_sha256 = excluded.bill_sha256, matched = excluded.matched, broken = excluded.broken,
       ours_minor = excluded.ours_minor, theirs_minor = excluded.theirs_minor, ran_at = excluded.ran_at;

-- name: resolve_breaks
-- Breaks that a new comparison no longer finds. $1 channel, $2 bill_day, $3 kind[], $4 number[] (still broken), $5 now
update reconciliation_break b
   set resolved_at = $5
 where b.channel = $1 and b.bill_day = $2 and b.resolved_at is null
   and not exists (select from unnest($3::text[], $4::text[]) as k (kind, number) where k.kind = b.kind and k.number = b.number);

-- name: upsert_breaks
-- $1 channel, $2 bill_day, $3 kind[], $4 number[], $5 class[], $6 ours_minor[], $7 theirs_minor[], $8 resolved_at or null
insert into reconciliation_break (channel, bill_day, kind, number, class, ours_minor, theirs_minor, resolved_at)
select $1, $2, k.kind, k.number, k.class, k.ours_minor, k.theirs_minor, $8
  from unnest($3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[]) as k (kind, number, class, ours_minor, theirs_minor)
on conflict (channel, bill_day, kind, number) do update
   set class = excluded.class, ours_minor = excluded.ours_minor, theirs_minor = excluded.theirs_minor,
       resolved_at = excluded.resolved_at;
