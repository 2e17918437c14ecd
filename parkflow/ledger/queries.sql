-- name: read_calendar
-- What decides the business day of an operator, and whether it has one. $1 operator
select o.time_zone, o.day_turn, exists (select from business_day d where d.operator_id = o.operator_id) as has_day
  from operator o
 where o.operator_id = $1;

-- name: insert_first_day
-- $1 operator, $2 day, $3 now
insert into business_day (operator_id, day, state, opened_at)
values ($1, $2, 'open', $3)
on conflict do nothing;

-- name: hold_open_days
-- Every posting holds its operator's open day, so that the close, which locks it for update, waits for what is in flight and nothing
-- lands behind the cut. Sorted, so that two postings never wait for each other. $1 operator[]
select operator_id, day
  from business_day
 where operator_id = any ($1::bigint[]) and state = 'open'
 order by operator_id
   for key share;

-- name: insert_transfers
-- (code, reference) is the identity of a fact, so posting it again changes nothing. $1 bucket[], $2 code[], $3 reference[],
-- $4 operator[], $5 business day[], $6 debit kind[], $7 debit owner[], $8 credit kind[], $9 credit owner[], $10 amount[],
-- $11 currency[], $12 occurred at[], $13 now
insert into ledger_transfer (bucket, code, reference, operator_id, business_day, debit_kind, debit_owner, credit_kind, credit_owner,
                             amount_minor, currency, occurred_at, posted_at)
select t.bucket, t.code, t.reference, t.operator_id, t.business_day, t.debit_kind, t.debit_owner, t.credit_kind, t.credit_owner,
       t.amount_minor, t.currency, t.occurred_at, $13
  from unnest($1::smallint[], $2::text[], $3::text[], $4::bigint[], $5::date[], $6::text[], $7::text[], $8::text[], $9::text[],
              $10::bigint[], $11::text[], $12::timestamptz[])
    as t (bucket, code, reference, operator_id, business_day, debit_kind, debit_owner, credit_kind, credit_owner, amount_minor,
          currency, occurred_at)
on conflict (bucket, code, reference) do nothing;

-- name: lock_day
-- The close waits here for every posting in flight. $1 operator, $2 day
select day, state, totals, sha256
  from business_day
 where operator_id = $1 and day = $2
   for update;

-- name: open_next_day
-- $1 operator, $2 day, $3 now
insert into business_day (operator_id, day, state, opened_at)
values ($1, $2, 'open', $3);

-- name: read_open_day
-- $1 operator
select day from business_day where operator_id = $1 and state = 'open';
