-- name: insert_charges
-- A stay is charged once, a card has one deposit: the id is theirs; an adjustment has its own. $1 bucket[], $2 charge_id[], $3 kind[], $4 card_id[],
-- $5 operator_id[], $6 lot_id[], $7 gross[], $8 discount[], $9 currency[], $10 business_day[], $11 due_at, $12 now,
-- $13 tariff_sha256[]
insert into charge (bucket, charge_id, kind, card_id, operator_id, lot_id, gross_minor, discount_minor, net_minor, currency, state,
                    business_day, due_at, next_attempt_at, created_at, tariff_sha256)
select t.bucket, t.charge_id, t.kind, t.card_id, t.operator_id, t.lot_id, t.gross, t.discount, t.gross - t.discount, t.currency, 'due',
       t.business_day, $11::timestamptz, case when t.kind <> 'deposit' then $11::timestamptz end, $12, t.tariff_sha256
  from unnest($1::smallint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
              $9::text[], $10::date[], $13::bytea[])
    as t (bucket, charge_id, kind, card_id, operator_id, lot_id, gross, discount, currency, business_day, tariff_sha256)
on conflict (bucket, charge_id) do nothing
returning charge_id;

-- name: due_charges
-- What this worker may try now, oldest first; of those that became due together the smallest, so that a short wallet pays as many as
-- it can, and the same ones in a rerun. $1 owner, $2 buckets, $3 now, $4 limit
select c.bucket, c.charge_id, c.kind, c.card_id, c.operator_id, c.lot_id, c.net_minor, c.currency, c.state, c.attempt_count,
       c.declined_count, c.due_at
  from charge c
  join bucket_lease l on l.bucket = c.bucket and l.owner = $1
 where c.bucket = any ($2::smallint[]) and c.state in ('due', 'arrears') and c.next_attempt_at <= $3
 order by c.due_at, c.net_minor, c.charge_id
 limit $4;

-- name: charges
-- $1 bucket[], $2 charge_id[]
select c.bucket, c.charge_id, c.kind, c.card_id, c.operator_id, c.lot_id, c.net_minor, c.currency, c.state, c.attempt_count,
       c.declined_count, c.due_at
  from charge c
  join unnest($1::smallint[], $2::bigint[]) as k (bucket, charge_id) on k.bucket = c.bucket and k.charge_id = c.charge_id
 order by c.due_at, c.net_minor, c.charge_id;

-- name: open_charges
-- What is still owed by cards, oldest first. $1 bucket[], $2 card_id[]
select c.bucket, c.charge_id, c.kind, c.card_id, c.operator_id, c.lot_id, c.net_minor, c.currency, c.state, c.attempt_count,
       c.declined_count, c.due_at
  from charge c
  join unnest($1::smallint[], $2::bigint[]) as k (bucket, card_id) on k.bucket = c.bucket and k.card_id = c.card_id
 where c.state in ('due', 'attempting', 'arrears')
 order by c.due_at, c.net_minor, c.charge_id;

-- name: count_recent_declines
-- What reached the channel and came to nothing; what our own rules ended bothered nobody. $1 bucket[], $2 charge_id[], $3 a day ago, $4 thirty days ago
select a.charge_id, count(*) filter (where a.created_at > $3) as in_24_hours, count(*) as in_30_days
  from attempt a
  join unnest($1::smallint[], $2::bigint[]) as k (bucket, charge_id) on k.bucket = a.bucket and k.charge_id = a.charge_id
 where a.state in ('declined', 'closed') and a.sent_at is not null and a.created_at > $4
 group by a.charge_id;

-- name: postpone_charges
-- $1 bucket[], $2 charge_id[], $3 until
update charge c
   set next_attempt_at = $3
  from unnest($1::smallint[], $2::bigint[]) as k (bucket, charge_id)
 where c.bucket = k.bucket and c.charge_id = k.charge_id and c.state in ('due', 'arrears') and c.next_attempt_at is not null;

-- name: claim_charges
-- Takes the charges for one attempt each. Whoever counts the attempt up first has it: a second claim that waited for the row finds
-- another count. $1 bucket[], $2 charge_id[], $3 attempt_count[], $4 owner whose lease is the fence, or null at the edge
update charge c
   set state = case c.state when 'due' then 'attempting' else c.state end,
       attempt_count = c.attempt_count + 1,
       next_attempt_at = null
  from unnest($1::smallint[], $2::bigint[], $3::smallint[]) as k (bucket, charge_id, attempt_count)
 where c.bucket = k.bucket and c.charge_id = k.charge_id and c.attempt_count = k.attempt_count and c.state in ('due', 'arrears')
   and not exists (select from attempt a
                    where a.bucket = c.bucket and a.charge_id = c.charge_id and a.state in ('recorded', 'sent', 'unknown'))
   and ($4::text is null or exists (select from bucket_lease l where l.bucket = c.bucket and l.owner = $4))
returning c.charge_id;

-- name: insert_attempts
-- The number and the exact bytes are here, and committed, before any of them leaves. $1 bucket[], $2 charge_id[], $3 number[],
-- $4 order_no[], $5 purpose[], $6 channel[], $7 payer_ref[], $8 amount[], $9 request[], $10 owner, $11 now, $12 look again at
insert into attempt (bucket, charge_id, number, order_no, purpose, channel, payer_ref, amount_minor, request, state, owner, created_at,
                     next_query_at)
select t.bucket, t.charge_id, t.number, t.order_no, t.purpose, t.channel, t.payer_ref, t.amount, t.request, 'recorded', $10, $11, $12
  from unnest($1::smallint[], $2::bigint[], $3::smallint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bytea[])
    as t (bucket, charge_id, number, order_no, purpose, channel, payer_ref, amount, request);

-- name: send_attempts
-- From here on an attempt may have reached the channel. $1 bucket[], $2 order_no[], $3 owner, $4 now, $5 look again at
update attempt a
   set state = 'sent', sent_at = $4, next_query_at = $5
  from unnest($1::smallint[], $2::text[]) as k (bucket, order_no)
 where a.bucket = k.bucket and a.order_no = k.order_no and a.state = 'recorded' and a.owner = $3
returning a.order_no;

-- name: open_attempts
-- Attempts without a final answer whose time to ask has come, and those that a worker left behind when it died: the buckets are
-- ours now, so it is not coming back for them. The edge's own are given time. $1 owner, $2 buckets, $3 now, $4 the edge's owner,
-- $5 limit
select a.bucket, a.order_no, a.state, a.channel, a.request, c.card_id, a.query_count
  from attempt a
  join bucket_lease l on l.bucket = a.bucket and l.owner = $1
  join charge c on c.bucket = a.bucket and c.charge_id = a.charge_id
 where a.bucket = any ($2::smallint[]) and a.state in ('recorded', 'sent', 'unknown')
   and (a.next_query_at <= $3 or (a.owner not in ($1, $4) and a.state in ('recorded', 'sent')))
 order by c.due_at, c.net_minor, a.charge_id
 limit $5;

-- name: live_attempts
-- Those of given charges. $1 bucket[], $2 charge_id[]
select a.bucket, a.order_no, a.state, a.channel, a.request, c.card_id, a.query_count
  from attempt a
  join charge c on c.bucket = a.bucket and c.charge_id = a.charge_id
  join unnest($1::smallint[], $2::bigint[]) as k (bucket, charge_id) on k.bucket = a.bucket and k.charge_id = a.charge_id
 where a.state in ('recorded', 'sent', 'unknown')
 order by c.due_at, c.net_minor, a.charge_id;

-- name: take_over_attempts
-- $1 bucket[], $2 order_no[], $3 owner, $4 now, $5 look again at
update attempt a
   set state = case a.state when 'recorded' then 'sent' else a.state end,
       sent_at = coalesce(a.sent_at, $4),
       owner = $3,
       next_query_at = $5
  from unnest($1::smallint[], $2::text[]) as k (bucket, order_no)
 where a.bucket = k.bucket and a.order_no = k.order_no and a.state in ('recorded', 'sent', 'unknown')
returning a.order_no;

-- name: read_attempts
-- $1 bucket[], $2 order_no[]
select a.bucket, a.charge_id, a.number, a.order_no, a.channel, a.amount_minor, a.state, a.query_count, c.kind, c.card_id, c.operator_id,
       c.currency, c.declined_count, c.due_at
  from attempt a
  join unnest($1::smallint[], $2::text[]) as k (bucket, order_no) on k.bucket = a.bucket and k.order_no = a.order_no
  join charge c on c.bucket = a.bucket and c.charge_id = a.charge_id
 order by a.bucket, a.order_no;

-- name: succeed_attempts
-- $1 bucket[], $2 order_no[], $3 channel_no[], $4 paid_at[], $5 raw_code[], $6 expected states, $7 now
update attempt a
   set state = 'succeeded', answered_at = $7, next_query_at = null, channel_no = k.channel_no, channel_paid_at = k.paid_at,
       raw_code = k.raw_code, reason = null
  from unnest($1::smallint[], $2::text[], $3::text[], $4::timestamptz[], $5::text[]) as k (bucket, order_no, channel_no, paid_at, raw_code)
 where a.bucket = k.bucket and a.order_no = k.order_no and a.state = any ($6::text[])
returning a.order_no;

-- name: lock_charge
-- One charge: a late success and a new claim must see each other. $1 bucket, $2 charge_id
select state from charge where bucket = $1 and charge_id = $2 for update;

-- name: lock_amount
-- One charge that nobody shall begin to try now. $1 bucket, $2 charge_id
select net_minor from charge where bucket = $1 and charge_id = $2 for update;

-- name: has_live_attempt
-- $1 bucket, $2 charge_id
select exists (select from attempt where bucket = $1 and charge_id = $2 and state in ('recorded', 'sent', 'unknown'));

-- name: succeed_late
-- Money that moved after all. $1 bucket, $2 order_no, $3 surplus, $4 channel_no, $5 paid_at, $6 raw_code, $7 expected states, $8 now
update attempt
   set state = 'succeeded', surplus = $3, answered_at = $8, next_query_at = null, channel_no = $4, channel_paid_at = $5, raw_code = $6,
       reason = null
 where bucket = $1 and order_no = $2 and state = any ($7::text[])
returning order_no;

-- name: mark_surplus
-- $1 bucket[], $2 order_no[]
update attempt a
   set surplus = true
  from unnest($1::smallint[], $2::text[]) as k (bucket, order_no)
 where a.bucket = k.bucket and a.order_no = k.order_no and a.state = 'succeeded';

-- name: pay_charges
-- $1 bucket[], $2 charge_id[], $3 paid_at[], $4 expected states
update charge c
   set state = 'paid', paid_at = k.paid_at, next_attempt_at = null
  from unnest($1::smallint[], $2::bigint[], $3::timestamptz[]) as k (bucket, charge_id, paid_at)
 where c.bucket = k.bucket and c.charge_id = k.charge_id and c.state = any ($4::text[])
returning c.charge_id;

-- name: fail_attempts
-- $1 bucket[], $2 order_no[], $3 state[], $4 reason[], $5 raw_code[], $6 expected states, $7 now
update attempt a
   set state = k.state, answered_at = $7, next_query_at = null, reason = k.reason, raw_code = k.raw_code
  from unnest($1::smallint[], $2::text[], $3::text[], $4::text[], $5::text[]) as k (bucket, order_no, state, reason, raw_code)
 where a.bucket = k.bucket and a.order_no = k.order_no and a.state = any ($6::text[])
returning a.order_no;

-- name: fail_charges
-- A charge in arrears stays there. $1 bucket[], $2 charge_id[], $3 declines counted[], $4 next_attempt_at[], $5 expected states
update charge c
   set state = case c.state when 'attempting' then 'due' else c.state end,
       declined_count = c.declined_count + k.declines,
       next_attempt_at = k.next_attempt_at
  from unnest($1::smallint[], $2::bigint[], $3::smallint[], $4::timestamptz[]) as k (bucket, charge_id, declines, next_attempt_at)
 where c.bucket = k.bucket and c.charge_id = k.charge_id and c.state = any ($5::text[]);

-- name: leave_attempts_open
-- $1 bucket[], $2 order_no[], $3 lost sight of (else never sent)[], $4 reason[], $5 raw_code[], $6 next_query_at[],
-- $7 expected states, $8 now
update attempt a
   set state = case when k.lost then 'unknown' else a.state end,
       unknown_at = case when k.lost then coalesce(a.unknown_at, $8) else a.unknown_at end,
       reason = k.reason, raw_code = k.raw_code, next_query_at = k.next_query_at, query_count = a.query_count + 1
  from unnest($1::smallint[], $2::text[], $3::boolean[], $4::text[], $5::text[], $6::timestamptz[])
    as k (bucket, order_no, lost, reason, raw_code, next_query_at)
 where a.bucket = k.bucket and a.order_no = k.order_no and a.state = any ($7::text[])
returning a.order_no;

-- name: mark_arrears
-- What the cut-off counts: asked for, declined, not paid. Whatever is being tried now is not decided yet. $1 operator
update charge
   set state = 'arrears'
 where operator_id = $1 and kind <> 'deposit' and state = 'due' and declined_count > 0
returning bucket, charge_id, card_id, net_minor;

-- name: waive_charge
-- Not while an attempt lives: its money may still move. $1 bucket, $2 charge_id, $3 expected states
update charge c
   set state = 'waived', next_attempt_at = null
 where c.bucket = $1 and c.charge_id = $2 and c.state = any ($3::text[])
   and not exists (select from attempt a
                    where a.bucket = c.bucket and a.charge_id = c.charge_id and a.state in ('recorded', 'sent', 'unknown'))
returning c.kind, c.card_id, c.operator_id, c.net_minor, c.currency;

-- name: surplus_attempts
-- Second successes, whose money goes back. $1 buckets, $2 answered since
select a.bucket, a.charge_id, a.order_no, a.channel, a.amount_minor, c.currency, c.operator_id, c.card_id
  from attempt a
  join charge c on c.bucket = a.bucket and c.charge_id = a.charge_id
 where a.bucket = any ($1::smallint[]) and a.surplus and a.answered_at >= $2;

-- name: paid_attempt
-- The attempt whose money a charge has. $1 bucket, $2 charge_id
select a.order_no, a.channel, a.amount_minor, c.currency, c.operator_id, c.card_id, c.state, c.net_minor, c.refunded_minor
  from attempt a
  join charge c on c.bucket = a.bucket and c.charge_id = a.charge_id
 where a.bucket = $1 and a.charge_id = $2 and a.state = 'succeeded' and not a.surplus;

-- name: refund_charges
-- $1 bucket[], $2 charge_id[], $3 amount[], $4 expected states
update charge c
   set refunded_minor = c.refunded_minor + k.amount,
       state = case when c.refunded_minor + k.amount = c.net_minor then 'refunded' else 'part_refunded' end
  from unnest($1::smallint[], $2::bigint[], $3::bigint[]) as k (bucket, charge_id, amount)
 where c.bucket = k.bucket and c.charge_id = k.charge_id and c.state = any ($4::text[]);
