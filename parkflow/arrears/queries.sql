-- name: insert_arrears
-- A charge is counted as arrears once; counting it again by a second cut-off changes nothing.
-- $1 bucket[], $2 charge_id[], $3 card_id[], $4 amount_minor[], $5 operator_id, $6 business_day, $7 now
insert into arrears (bucket, charge_id, card_id, operator_id, business_day, amount_minor, opened_at)
select r.bucket, r.charge_id, r.card_id, $5, $6, r.amount_minor, $7
  from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bigint[]) as r (bucket, charge_id, card_id, amount_minor)
on conflict (bucket, charge_id) do nothing
returning bucket, charge_id, card_id, amount_minor;

-- name: paid_arrears
-- Open rows whose charge is no longer owed: what the clearing has to do. Reads the charges' states because calling up is not
-- possible and carrying all open rows to Python at every pass would be waste.
-- $1 bucket[], $2 limit
select a.bucket, a.charge_id, a.card_id
  from arrears a
  join charge c on c.bucket = a.bucket and c.charge_id = a.charge_id
 where a.bucket = any ($1::smallint[]) and a.cleared_at is null
   and c.state in ('paid', 'waived', 'part_refunded', 'refunded')
 order by a.bucket, a.card_id, a.charge_id
 limit $2;

-- name: clear_arrears
-- $1 bucket[], $2 charge_id[], $3 now
update arrears a
   set cleared_at = $3
  from unnest($1::smallint[], $2::bigint[]) as k (bucket, charge_id)
 where a.bucket = k.bucket and a.charge_id = k.charge_id and a.cleared_at is null
returning a.bucket, a.charge_id, a.card_id, a.amount_minor;

-- name: cards_clear
-- Of these cards, those that have no open arrears left. $1 bucket[], $2 card_id[]
select k.bucket, k.card_id
  from unnest($1::smallint[], $2::bigint[]) as k (bucket, card_id)
  left join (
        select bucket, card_id
          from arrears
         where bucket = any ($1::smallint[]) and card_id = any ($2::bigint[]) and cleared_at is null
         group by bucket, card_id
       ) as o on o.bucket = k.bucket and o.card_id = k.card_id
 where o.card_id is null;

-- name: open_of_account
-- What one driver owes, oldest first. $1 bucket, $2 account_id, $3 card_id or null for all cards
select a.charge_id, a.card_id, a.operator_id, a.business_day, a.amount_minor, c.currency, c.lot_id, c.due_at
  from arrears a
  join charge c on c.bucket = a.bucket and c.charge_id = a.charge_id
  join card k on k.bucket = a.bucket and k.card_id = a.card_id
 where a.bucket = $1 and k.bucket = $1 and k.account_id = $2 and a.cleared_at is null
   and ($3::bigint is null or a.card_id = $3)
 order by c.due_at, a.charge_id;
