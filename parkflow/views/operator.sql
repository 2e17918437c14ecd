-- name: lot_summary
-- What happened in each lot of an operator to the stays that began in a span, and what became of their money until now. Free stays
-- count as stays and have no charge. $1 operator_id, $2 from, $3 to (not in it)
select l.lot_id, l.reference, l.name,
       count(s.stay_id) as stays,
       count(s.stay_id) filter (where s.state = 'open') as stays_open,
       count(s.stay_id) filter (where s.state in ('abandoned', 'waived')) as stays_unpriced,
       count(s.stay_id) filter (where s.state = 'priced' and s.fee_minor = 0) as stays_free,
       count(c.charge_id) as charges,
       coalesce(sum(c.net_minor), 0)::bigint as charged_minor,
       count(c.charge_id) filter (where c.state in ('paid', 'part_refunded', 'refunded')) as paid,
       coalesce(sum(c.net_minor - c.refunded_minor) filter (where c.state in ('paid', 'part_refunded', 'refunded')), 0)::bigint
           as paid_minor,
       coalesce(sum(c.net_minor) filter (where c.state in ('due', 'attempting')), 0)::bigint as due_minor,
       count(c.charge_id) filter (where c.state = 'arrears') as arrears,
       coalesce(sum(c.net_minor) filter (where c.state = 'arrears'), 0)::bigint as arrears_minor,
       coalesce(sum(c.net_minor) filter (where c.state = 'waived'), 0)::bigint as waived_minor
  from lot l
  left join (
        select * from stay where operator_id = $1 and entry_at >= $2 and entry_at < $3
       ) as s on s.lot_id = l.lot_id
  left join charge c on c.bucket = s.bucket and c.charge_id = s.stay_id
 where l.operator_id = $1
 group by l.lot_id, l.reference, l.name
 order by l.reference;

-- name: days
-- An operator's business days, newest first. $1 operator_id, $2 before, $3 limit
select day, state, opened_at, closing_at, closed_at, sha256
  from business_day
 where operator_id = $1 and day < $2
 order by day desc
 limit $3;
