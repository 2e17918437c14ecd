-- name: lot_summary
-- What happened in each lot of an operator to the stays that began in a span, and what became of their money until now, that of their
-- adjustments with it. Free stays count as stays and have no charge, void ones never were. $1 operator_id, $2 from, $3 to (not in it)
with begun as materialized (
    select bucket, stay_id, lot_id, state, fee_minor
      from stay
     where operator_id = $1 and entry_at >= $2 and entry_at < $3 and state <> 'void'
), money as (
    select s.lot_id, c.net_minor, c.refunded_minor, c.state
      from begun s
      join charge c on c.bucket = s.bucket and c.charge_id = s.stay_id
    union all
    select s.lot_id, c.net_minor, c.refunded_minor, c.state
      from begun s
      join adjustment a on a.bucket = s.bucket and a.stay_id = s.stay_id
      join charge c on c.bucket = a.bucket and c.charge_id = a.charge_id
), counted as (
    select lot_id, count(*) as stays, count(*) filter (where state = 'open') as stays_open,
           count(*) filter (where state in ('abandoned', 'waived', 'held')) as stays_unpriced,
           count(*) filter (where state = 'priced' and fee_minor = 0) as stays_free
      from begun
     group by lot_id
), summed as (
    select lot_id, count(*) as charges, sum(net_minor) as charged_minor,
           count(*) filter (where state in ('paid', 'part_refunded', 'refunded')) as paid,
           sum(net_minor - refunded_minor) filter (where state in ('paid', 'part_refunded', 'refunded')) as paid_minor,
           sum(net_minor) filter (where state in ('due', 'attempting')) as due_minor,
           count(*) filter (where state = 'arrears') as arrears,
           sum(net_minor) filter (where state = 'arrears') as arrears_minor,
           sum(net_minor) filter (where state = 'waived') as waived_minor
      from money
     group by lot_id
)
select l.lot_id, l.reference, l.name,
       coalesce(n.stays, 0) as stays, coalesce(n.stays_open, 0) as stays_open, coalesce(n.stays_unpriced, 0) as stays_unpriced,
       coalesce(n.stays_free, 0) as stays_free,
       coalesce(m.charges, 0) as charges, coalesce(m.charged_minor, 0)::bigint as charged_minor,
       coalesce(m.paid, 0) as paid, coalesce(m.paid_minor, 0)::bigint as paid_minor, coalesce(m.due_minor, 0)::bigint as due_minor,
       coalesce(m.arrears, 0) as arrears, coalesce(m.arrears_minor, 0)::bigint as arrears_minor,
       coalesce(m.waived_minor, 0)::bigint as waived_minor
  from lot l
  left join counted n on n.lot_id = l.lot_id
  left join summed m on m.lot_id = l.lot_id
 where l.operator_id = $1
 order by l.reference;

-- name: days
-- An operator's business days, newest first. $1 operator_id, $2 before, $3 limit
select day, state, opened_at, closing_at, closed_at, sha256
  from business_day
 where operator_id = $1 and day < $2
 order by day desc
 limit $3;
