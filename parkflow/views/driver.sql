-- name: stays
-- Newest entry first, also those that are not over or not priced yet; the first charge has the stay's id, and one that an adjustment
-- raised counts in its place. A stay misses an exit while it is open and a later entry waits, or for longer than is waited for exits.
-- $1 bucket, $2 account_id, $3 entries before, $4 stay_id before (of one instant), $5 limit, $6 now, $7 hours where the lot's policy
-- says nothing
select s.stay_id, s.card_id, s.lot_id, l.name as lot_name, l.time_zone, s.entry_at, s.exit_at, s.state, s.reason,
       s.fee_minor, s.currency, coalesce(m.charge_state, c.state) as charge_state, s.marks,
       case when 'missing_exit' = any (s.marks) then 'exit'
            when s.marks && array['entry_at_maximum', 'entry_by_operator'] then 'entry'
            when s.state = 'open'
                 and (s.entry_at < $6::timestamptz - make_interval(hours => coalesce((l.policy ->> 'missing_exit_hours')::integer, $7))
                      or exists (select from scan n
                                  where n.bucket = s.bucket and n.card_id = s.card_id and n.lot_id = s.lot_id and n.state = 'held'
                                    and n.reason = 'awaiting_exit' and n.scanned_at > s.entry_at)) then 'exit' end as missing,
       coalesce(m.corrections, '[]') as corrections
  from card k
  join stay s on s.bucket = k.bucket and s.card_id = k.card_id
  join lot l on l.lot_id = s.lot_id
  left join charge c on c.bucket = s.bucket and c.charge_id = s.stay_id
  left join lateral (
        select jsonb_agg(jsonb_build_object('reason', a.reason, 'from_minor', a.from_minor, 'to_minor', a.to_minor, 'at', a.adjusted_at)
                         order by a.number) as corrections,
               (array_agg(n.state order by a.number desc) filter (where n.state <> 'waived'))[1] as charge_state
          from adjustment a
          left join charge n on n.bucket = a.bucket and n.charge_id = a.charge_id
         where a.bucket = s.bucket and a.stay_id = s.stay_id
       ) as m on true
 where k.bucket = $1 and k.account_id = $2 and s.state <> 'void' and (s.entry_at, s.stay_id) < ($3::timestamptz, $4::bigint)
 order by s.entry_at desc, s.stay_id desc
 limit $5;

-- name: charges
-- Newest first; deposits too. $1 bucket, $2 account_id, $3 created before, $4 charge_id before (of one instant), $5 limit
select c.charge_id, c.kind, c.card_id, c.lot_id, l.name as lot_name, c.gross_minor, c.discount_minor, c.net_minor,
       c.refunded_minor, c.currency, c.state, c.created_at, c.due_at, c.paid_at
  from card k
  join charge c on c.bucket = k.bucket and c.card_id = k.card_id
  left join lot l on l.lot_id = c.lot_id
 where k.bucket = $1 and k.account_id = $2 and (c.created_at, c.charge_id) < ($3::timestamptz, $4::bigint)
 order by c.created_at desc, c.charge_id desc
 limit $5;

-- name: arrears
-- What the driver owes now, oldest first. $1 bucket, $2 account_id
select a.charge_id, a.card_id, a.amount_minor, c.currency, a.business_day, a.opened_at, c.lot_id, l.name as lot_name
  from card k
  join arrears a on a.bucket = k.bucket and a.card_id = k.card_id
  join charge c on c.bucket = a.bucket and c.charge_id = a.charge_id
  left join lot l on l.lot_id = c.lot_id
 where k.bucket = $1 and k.account_id = $2 and a.cleared_at is null
 order by a.opened_at, a.charge_id;
