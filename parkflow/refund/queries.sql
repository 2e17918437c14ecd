-- name: insert_refunds
-- A deposit goes back once, a surplus goes back once; the unique indexes say so. $1 bucket[], $2 refund_no[], $3 charge_id[],
-- $4 order_no[], $5 channel[], $6 reason[], $7 amount[], $8 total[], $9 currency[], $10 operator_id[], $11 card_id[], $12 now
insert into refund (bucket, refund_no, charge_id, order_no, channel, reason, amount_minor, total_minor, currency, operator_id, card_id,
                    state, created_at, next_try_at)
select t.bucket, t.refund_no, t.charge_id, t.order_no, t.channel, t.reason, t.amount, t.total, t.currency, t.operator_id, t.card_id,
       'recorded', $12, $12
  from unnest($1::smallint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::text[],
              $10::bigint[], $11::bigint[])
    as t (bucket, refund_no, charge_id, order_no, channel, reason, amount, total, currency, operator_id, card_id)
on conflict do nothing
returning refund_no;

-- name: due_refunds
-- $1 owner, $2 buckets, $3 now, $4 limit
select r.bucket, r.refund_no, r.charge_id, r.order_no, r.channel, r.reason, r.amount_minor, r.currency, r.operator_id, r.card_id,
       r.state, r.try_count
  from refund r
  join bucket_lease l on l.bucket = r.bucket and l.owner = $1
 where r.bucket = any ($2::smallint[]) and r.state in ('recorded', 'sent', 'unknown') and r.next_try_at <= $3
 order by r.created_at, r.refund_no
 limit $4;

-- name: send_refunds
-- $1 bucket[], $2 refund_no[], $3 now, $4 look again at
update refund r
   set state = case r.state when 'recorded' then 'sent' else r.state end, sent_at = coalesce(r.sent_at, $3), next_try_at = $4,
       try_count = r.try_count + 1
  from unnest($1::smallint[], $2::text[]) as k (bucket, refund_no)
 where r.bucket = k.bucket and r.refund_no = k.refund_no and r.state in ('recorded', 'sent', 'unknown')
returning r.refund_no;

-- name: read_refunds
-- $1 bucket[], $2 refund_no[]
select r.bucket, r.refund_no, r.charge_id, r.order_no, r.channel, r.reason, r.amount_minor, r.currency, r.operator_id, r.card_id,
       r.state, r.try_count
  from refund r
  join unnest($1::smallint[], $2::text[]) as k (bucket, refund_no) on k.bucket = r.bucket and k.refund_no = r.refund_no
 order by r.bucket, r.refund_no;

-- name: succeed_refunds
-- $1 bucket[], $2 refund_no[], $3 refunded_at[], $4 raw_code[], $5 expected states, $6 now
update refund r
   set state = 'succeeded', answered_at = $6, next_try_at = null, channel_refunded_at = k.refunded_at, raw_code = k.raw_code
  from unnest($1::smallint[], $2::text[], $3::timestamptz[], $4::text[]) as k (bucket, refund_no, refunded_at, raw_code)
 where r.bucket = k.bucket and r.refund_no = k.refund_no and r.state = any ($5::text[])
returning r.refund_no;

-- name: leave_refunds
-- $1 bucket[], $2 refund_no[], $3 state or null to keep it[], $4 raw_code[], $5 next_try_at[], $6 expected states, $7 now
update refund r
   set state = coalesce(k.state, r.state), raw_code = k.raw_code, next_try_at = k.next_try_at,
       answered_at = case k.state when 'declined' then $7 else r.answered_at end
  from unnest($1::smallint[], $2::text[], $3::text[], $4::text[], $5::timestamptz[]) as k (bucket, refund_no, state, raw_code, next_try_at)
 where r.bucket = k.bucket and r.refund_no = k.refund_no and r.state = any ($6::text[])
returning r.refund_no;

-- name: count_corrections
-- $1 bucket, $2 charge_id
select count(*), coalesce(sum(amount_minor) filter (where state <> 'declined'), 0)::bigint as amount_minor
  from refund
 where bucket = $1 and charge_id = $2 and reason = 'correction';
