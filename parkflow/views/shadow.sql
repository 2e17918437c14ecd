-- name: past_stays
-- A page of a lot's priced stays in order of entry, with what was charged and on what grounds. $1 operator, $2 lot, $3 entered from,
-- $4 entered before, $5 after this entry, $6 after this stay (of one instant), $7 limit
select s.stay_id, s.card_id, s.entry_at, s.exit_at, s.vehicle_class, s.fee_minor, s.fee_lines - 'lines' - 'history' as record
  from stay s
 where s.operator_id = $1 and s.lot_id = $2 and s.state = 'priced'
   and s.entry_at >= $3 and s.entry_at < $4 and (s.entry_at, s.stay_id) > ($5::timestamptz, $6::bigint)
 order by s.entry_at, s.stay_id
 limit $7;
