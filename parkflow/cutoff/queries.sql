-- name: running_days
-- The day that each operator is in, with what decides its end.
select d.operator_id, d.day, o.time_zone, o.day_turn
  from business_day d
  join operator o on o.operator_id = d.operator_id
 where d.state in ('open', 'closing')
 order by d.operator_id, d.day;

-- name: day_of_operator
-- One business day with what decides its end; totals and hash once it is closed. $1 operator_id, $2 day
select d.operator_id, d.day, d.state, d.totals, d.sha256, d.opened_at, d.closed_at, o.time_zone, o.day_turn, o.currency
  from business_day d
  join operator o on o.operator_id = d.operator_id
 where d.operator_id = $1 and d.day = $2;

-- name: closed_days
select d.operator_id, d.day, d.state, d.totals, d.sha256, d.opened_at, d.closed_at, o.time_zone, o.day_turn, o.currency
  from business_day d
  join operator o on o.operator_id = d.operator_id
 where d.state = 'closed'
 order by d.operator_id, d.day;

-- name: totals_by_code
-- What was posted to the day. $1 operator_id, $2 day
select code, currency, count(*) as transfers, sum(amount_minor)::bigint as sum_minor
  from ledger_transfer
 where operator_id = $1 and business_day = $2
 group by code, currency
 order by code, currency;

-- name: totals_by_lot
-- Per lot: what was raised, paid, waived by postings of the day, and what the day's cut-off counted as arrears. A transfer names
-- its charge (raised, waived, written off) or the order that paid it. $1 operator_id, $2 day
with posted as materialized (
    select l.bucket, l.code, l.reference, l.amount_minor
      from ledger_transfer l
     where l.operator_id = $1 and l.business_day = $2
       and l.code in ('charge_raised', 'charge_paid', 'charge_waived', 'written_off')
), of_charge as (
    select p.bucket, p.code, p.amount_minor, case when p.code = 'charge_paid' then a.charge_id else p.reference::bigint end as charge_id
      from posted p
      left join attempt a on a.bucket = p.bucket and a.order_no = p.reference and p.code = 'charge_paid'
), sums as (
    select c.lot_id,
           count(*) filter (where f.code = 'charge_raised') as charges,
           coalesce(sum(f.amount_minor) filter (where f.code = 'charge_raised'), 0)::bigint as charged_minor,
           count(*) filter (where f.code = 'charge_paid') as paid,
           coalesce(sum(f.amount_minor) filter (where f.code = 'charge_paid'), 0)::bigint as paid_minor,
           count(*) filter (where f.code in ('charge_waived', 'written_off')) as waived,
           coalesce(sum(f.amount_minor) filter (where f.code in ('charge_waived', 'written_off')), 0)::bigint as waived_minor
      from of_charge f
      join charge c on c.bucket = f.bucket and c.charge_id = f.charge_id
     group by c.lot_id
), owed as (
    select c.lot_id, count(*) as arrears, sum(a.amount_minor)::bigint as arrears_minor
      from arrears a
      join charge c on c.bucket = a.bucket and c.charge_id = a.charge_id
     where a.operator_id = $1 and a.business_day = $2
     group by c.lot_id
)
select l.lot_id, l.reference,
       coalesce(s.charges, 0) as charges, coalesce(s.charged_minor, 0) as charged_minor,
       coalesce(s.paid, 0) as paid, coalesce(s.paid_minor, 0) as paid_minor,
       coalesce(s.waived, 0) as waived, coalesce(s.waived_minor, 0) as waived_minor,
       coalesce(o.arrears, 0) as arrears, coalesce(o.arrears_minor, 0) as arrears_minor
  from lot l
  left join sums s on s.lot_id = l.lot_id
  left join owed o on o.lot_id = l.lot_id
 where l.operator_id = $1 and (s.lot_id is not null or o.lot_id is not null)
 order by l.reference;

-- name: digests_by_bucket
-- A hash over the ordered transfers of each bucket, made beside the rows; the day's hash is made of these. Text of one form per
-- row: fields are parted by a character that no field has. $1 operator_id, $2 day
select bucket, count(*) as transfers,
       sha256(convert_to(string_agg(concat_ws(E'\x1f', code, reference, debit_kind, debit_owner, credit_kind, credit_owner,
                                   amount_minor, currency,
                                   (extract(epoch from occurred_at) * 1000000)::bigint), E'\x1e'
                         order by code, reference), 'UTF8')) as sha256
  from ledger_transfer
 where operator_id = $1 and business_day = $2
 group by bucket
 order by bucket;
