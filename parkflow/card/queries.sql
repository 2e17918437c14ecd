-- name: insert
-- One card in use per driver and operator. $1 bucket, $2 card_id, $3 account_id, $4 operator_id, $5 agreement_id,
-- $6 vehicle_class, $7 state, $8 deposit_minor, $9 now
insert into card (bucket, card_id, account_id, operator_id, agreement_id, vehicle_class, state, deposit_minor, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (bucket, account_id, operator_id) where state <> 'returned' do nothing
returning card_id;

-- name: in_use
-- $1 bucket, $2 account_id, $3 operator_id
select * from card where bucket = $1 and account_id = $2 and operator_id = $3 and state <> 'returned';

-- name: one
-- $1 bucket, $2 card_id
select * from card where bucket = $1 and card_id = $2;

-- name: lock_one
-- The row lock that issuing, freezing and returning share. $1 bucket, $2 card_id
select * from card where bucket = $1 and card_id = $2 for update;

-- name: lock_in_bucket
-- In the order of ids, so that two that lock the same cards wait instead of deadlocking. $1 bucket, $2 card_ids
select card_id from card where bucket = $1 and card_id = any ($2::bigint[]) order by card_id for update;

-- name: many
-- $1 bucket[], $2 card_id[]
select c.*
  from card c
  join unnest($1::smallint[], $2::bigint[]) as k (bucket, card_id) on c.bucket = k.bucket and c.card_id = k.card_id;

-- name: enrolments
-- What a stay takes from its card. $1 bucket[], $2 card_id[]
select c.card_id, c.operator_id, c.vehicle_class
  from card c
  join unnest($1::smallint[], $2::bigint[]) as k (bucket, card_id) on c.bucket = k.bucket and c.card_id = k.card_id;

-- name: of_account
-- $1 bucket, $2 account_id
select * from card where bucket = $1 and account_id = $2 order by created_at, card_id;

-- name: count_with_agreement
-- Cards that still need the agreement. $1 bucket, $2 account_id, $3 agreement_id
select count(*) from card where bucket = $1 and account_id = $2 and agreement_id = $3 and state <> 'returned';

-- name: take_serial
-- $1 bucket, $2 card_id
update card set last_serial = last_serial + 1 where bucket = $1 and card_id = $2 returning last_serial;

-- name: add_reason
-- $1 bucket, $2 card_ids, $3 reason, $4 now
insert into card_freeze (bucket, card_id, reason, frozen_at)
select $1, k.card_id, $3, $4
  from unnest($2::bigint[]) as k (card_id)
on conflict (bucket, card_id, reason) do nothing;

-- name: lift_reason
-- $1 bucket, $2 card_ids, $3 reason
delete from card_freeze where bucket = $1 and card_id = any ($2::bigint[]) and reason = $3;

-- name: reasons
-- $1 buckets, $2 card_ids
select card_id, reason
  from card_freeze
 where bucket = any ($1::smallint[]) and card_id = any ($2::bigint[])
 order by card_id, reason;

-- name: of_accounts
-- $1 bucket[], $2 account_id[], $3 operator_ids
select c.*
  from unnest($1::smallint[], $2::bigint[]) as k (bucket, account_id)
  join card c on c.bucket = k.bucket and c.account_id = k.account_id
 where c.operator_id = any ($3::bigint[]);

-- name: state_changes
-- $1 bucket[], $2 card_id[]
select h.subject_id as card_id, h.at, h.from_state, h.to_state
  from unnest($1::smallint[], $2::bigint[]) as k (bucket, card_id)
  join state_change h on h.bucket = k.bucket and h.machine = 'card' and h.subject_id = k.card_id
 order by h.bucket, h.subject_id, h.at;
