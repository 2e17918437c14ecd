-- name: insert_return
-- $1 bucket, $2 return_id, $3 card_id, $4 account_id, $5 operator_id, $6 now, $7 release_after
insert into card_return (bucket, return_id, card_id, account_id, operator_id, state, requested_at, release_after)
values ($1, $2, $3, $4, $5, 'requested', $6, $7);

-- name: latest_return
-- The open return of a card, else the last one. $1 bucket, $2 account_id, $3 card_id
select return_id, card_id, operator_id, state, blocked_reason, requested_at, release_after, decided_at, ended_at
  from card_return
 where bucket = $1 and account_id = $2 and card_id = $3
 order by ended_at is not null, requested_at desc
 limit 1;

-- name: undecided
-- Open returns with all that may stand against a refund, read in one statement so that it is one moment. This is the only
-- place that looks across so many rooms: the rule is about the whole card. A gate counts as behind when it may have seen the
-- card before the request and has not acknowledged everything up to it (in its latest epoch: what a lost journal held will
-- never come), unless the operator excepted it by name. A paid stay's charge stands for its scans.
-- $1 bucket[], $2 return_id after which to begin, $3 limit
with open_return as materialized (
    select r.bucket, r.return_id, r.card_id, r.operator_id, r.state, r.blocked_reason, r.requested_at, r.release_after
      from card_return r
     where r.bucket = any ($1::smallint[]) and r.state in ('requested', 'waiting', 'blocked')
       and r.return_id > $2
     order by r.return_id
     limit $3
), arrears_count as (
    select o.bucket, o.return_id, count(*) as arrears
      from open_return o join arrears a on a.bucket = o.bucket and a.card_id = o.card_id and a.cleared_at is null
     group by o.bucket, o.return_id
), stay_count as (
    select o.bucket, o.return_id, count(*) filter (where s.state = 'open') as stays_open,
           count(*) filter (where s.state in ('closed', 'held') or (s.state = 'priced' and s.fee_minor > 0 and c.charge_id is null)
               or (s.corrections > s.adjusted and s.charged_at is not null))
               as stays_unsettled
      from open_return o
      join stay s on s.bucket = o.bucket and s.card_id = o.card_id
      left join charge c on c.bucket = s.bucket and c.charge_id = s.stay_id
     group by o.bucket, o.return_id
), scan_count as (
    select o.bucket, o.return_id, count(*) as scans_unsettled
      from open_return o join scan s on s.bucket = o.bucket and s.card_id = o.card_id and s.state in ('received', 'held')
     group by o.bucket, o.return_id
), charge_count as (
    select o.bucket, o.return_id,
           count(*) filter (where c.state in ('due', 'attempting')) as charges_due,
           coalesce(sum(c.net_minor - c.refunded_minor)
               filter (where c.kind = 'deposit' and c.state in ('paid', 'part_refunded')), 0)::bigint as deposit_minor
      from open_return o join charge c on c.bucket = o.bucket and c.card_id = o.card_id
     group by o.bucket, o.return_id
), attempt_count as (
    select o.bucket, o.return_id, count(*) as attempts_unknown
      from open_return o
      join charge c on c.bucket = o.bucket and c.card_id = o.card_id
      join attempt t on t.bucket = c.bucket and t.charge_id = c.charge_id and t.state in ('recorded', 'sent', 'unknown')
     group by o.bucket, o.return_id
), mark as (
    select distinct on (gate_id) gate_id, complete_to from gate_watermark order by gate_id, epoch desc
), gate_count as (
    select o.bucket, o.return_id, count(*) as gates_behind
      from open_return o
      join gate g on g.operator_id = o.operator_id and g.state <> 'retired' and g.created_at <= o.requested_at
      left join mark m on m.gate_id = g.gate_id
      left join (
            select gate_id, max(until_at) as until_at from return_exception group by gate_id
           ) as e on e.gate_id = g.gate_id
     where coalesce(m.complete_to, '-infinity') < o.requested_at and coalesce(e.until_at, '-infinity') < o.requested_at
     group by o.bucket, o.return_id
)
select o.bucket, o.return_id, o.card_id, o.operator_id, o.state, o.blocked_reason, o.requested_at, o.release_after,
       coalesce(a.arrears, 0) as arrears, coalesce(s.stays_open, 0) as stays_open,
       coalesce(c.charges_due, 0) as charges_due, coalesce(t.attempts_unknown, 0) as attempts_unknown,
       coalesce(n.scans_unsettled, 0) + coalesce(s.stays_unsettled, 0) as scans_unsettled, coalesce(g.gates_behind, 0) as gates_behind,
       coalesce(c.deposit_minor, 0) as deposit_minor
  from open_return o
  left join arrears_count a on a.bucket = o.bucket and a.return_id = o.return_id
  left join stay_count s on s.bucket = o.bucket and s.return_id = o.return_id
  left join scan_count n on n.bucket = o.bucket and n.return_id = o.return_id
  left join charge_count c on c.bucket = o.bucket and c.return_id = o.return_id
  left join attempt_count t on t.bucket = o.bucket and t.return_id = o.return_id
  left join gate_count g on g.bucket = o.bucket and g.return_id = o.return_id
 order by o.return_id;

-- name: count_blocks
-- How often each return was blocked; a figure for people. $1 bucket[], $2 return_id[]
update card_return r
   set blocked_count = r.blocked_count + 1
  from unnest($1::smallint[], $2::bigint[]) as k (bucket, return_id)
 where r.bucket = k.bucket and r.return_id = k.return_id;

-- name: releasing
-- Returns whose deposit refund was asked for, what became of it, and whether the card was the last one on its agreement.
-- $1 bucket[], $2 now, $3 limit
select r.bucket, r.return_id, r.card_id, r.account_id, r.operator_id, f.state as refund_state, f.amount_minor,
       f.currency, case when g.state in ('active', 'suspended') and other.agreement_id is null then g.agreement_id end
       as agreement_to_end
  from card_return r
  join card k on k.bucket = r.bucket and k.card_id = r.card_id
  join agreement g on g.bucket = k.bucket and g.agreement_id = k.agreement_id
  left join refund f on f.bucket = r.bucket and f.charge_id = r.card_id and f.reason = 'deposit_return'
  left join lateral (
        select o.agreement_id
          from card o
         where o.bucket = k.bucket and o.account_id = k.account_id and o.agreement_id = k.agreement_id
           and o.card_id <> k.card_id and o.state <> 'returned'
         limit 1
       ) as other on true
 where r.bucket = any ($1::smallint[]) and r.state = 'releasing' and (r.next_try_at is null or r.next_try_at <= $2)
 order by r.bucket, r.return_id
 limit $3;

-- name: postpone
-- The channel did not answer; other returns must not wait for this one. $1 bucket, $2 return_id, $3 next_try_at
update card_return set next_try_at = $3 where bucket = $1 and return_id = $2 and state = 'releasing';

-- name: insert_exception
-- $1 operator_id, $2 gate_id, $3 until_at, $4 token_name, $5 now
insert into return_exception (operator_id, gate_id, until_at, token_name, created_at)
select $1, g.gate_id, $3, $4, $5 from gate g where g.operator_id = $1 and g.gate_id = $2
on conflict (operator_id, gate_id, created_at) do nothing
returning gate_id;
