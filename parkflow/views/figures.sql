-- name: attempts_by_state
select state, count(*) as attempts from attempt group by state order by state;

-- name: open_charges_by_state
-- What deducts still have before them.
select state, count(*) as charges
  from charge
 where state in ('due', 'attempting', 'arrears')
 group by state
 order by state;

-- name: open_arrears
select o.currency, count(*) as charges, sum(a.amount_minor)::bigint as amount_minor
  from arrears a
  join operator o on o.operator_id = a.operator_id
 where a.cleared_at is null
 group by o.currency
 order by o.currency;

-- name: caught_up_to
-- The foremost worker; one that stopped long ago does not count.
select max(caught_up_to) from worker_progress;
