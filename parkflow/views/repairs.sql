-- name: waiting_stays
-- Stays of an operator that wait for a person, or whose exit is missing, the oldest first. $1 operator, $2 limit
select s.stay_id, s.card_id, s.lot_id, l.name as lot_name, s.entry_at, s.state, s.reason, s.marks
  from stay s
  join lot l on l.lot_id = s.lot_id
 where s.operator_id = $1 and s.state = 'held'
 order by s.entry_at, s.stay_id
 limit $2;

-- name: waiting_scans
-- Scans of an operator that wait for another scan or for a person, the oldest first. $1 operator, $2 limit
select s.card_id, s.gate_id, s.epoch, s.seq, s.lot_id, l.name as lot_name, s.direction, s.medium, s.scanned_at, s.reason, s.received_at
  from scan s
  join lot l on l.lot_id = s.lot_id
 where s.operator_id = $1 and s.state = 'held'
 order by s.reason <> 'awaiting_operator', s.scanned_at, s.gate_id, s.epoch, s.seq
 limit $2;

-- name: repairs_of_stay
-- What a stay was before each correction, and what moved for it. $1 bucket, $2 stay, $3 operator
select c.number, c.reason, c.corrected_at, c.was_state, c.was_entry_at, c.was_exit_at, c.was_marks, c.was_fee_minor,
       a.from_minor, a.to_minor, a.waived_minor, a.raised_minor, a.refunded_minor, a.short_minor, a.charge_id, a.adjusted_at
  from stay s
  join stay_correction c on c.bucket = s.bucket and c.stay_id = s.stay_id
  left join adjustment a on a.bucket = c.bucket and a.stay_id = c.stay_id and a.correction = c.number
 where s.bucket = $1 and s.stay_id = $2 and s.operator_id = $3
 order by c.number;

-- name: stay_now
-- $1 bucket, $2 stay, $3 operator
select s.stay_id, s.card_id, s.lot_id, s.entry_at, s.exit_at, s.state, s.reason, s.marks, s.fee_minor, s.currency, s.corrections, s.adjusted
  from stay s
 where s.bucket = $1 and s.stay_id = $2 and s.operator_id = $3;

-- name: decisions_of_stay
-- $1 bucket, $2 stay, $3 operator
select d.number, d.verdict, d.at, d.token_name, d.decided_at, d.applied_at
  from stay_decision d
 where d.bucket = $1 and d.stay_id = $2 and d.operator_id = $3
 order by d.number;
