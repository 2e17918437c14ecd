-- name: stay_to_decide
-- $1 bucket, $2 stay, $3 operator
select bucket, card_id, lot_id, entry_at, state, exit_gate_id is not null as exit_was_seen
  from stay
 where bucket = $1 and stay_id = $2 and operator_id = $3;

-- name: scan_to_decide
-- $1 bucket, $2 card, $3 gate, $4 epoch, $5 seq, $6 operator
select bucket, card_id, lot_id, direction, scanned_at, earliest_at, state, reason
  from scan
 where bucket = $1 and gate_id = $3 and epoch = $4 and seq = $5 and card_id = $2 and operator_id = $6;

-- name: last_decision
-- $1 bucket, $2 subject
select number, verdict, at, token_name, decided_at, applied_at
  from stay_decision
 where bucket = $1 and subject_id = $2
 order by number desc
 limit 1;

-- name: insert_decision
-- Of two persons who decide at once the second is told so. $1 bucket, $2 subject, $3 number, $4 card, $5 lot, $6 operator, $7 stay or
-- null, $8 gate or null, $9 epoch, $10 seq, $11 about at, $12 verdict, $13 at or null, $14 token name, $15 now
insert into stay_decision (bucket, subject_id, number, card_id, lot_id, operator_id, stay_id, gate_id, epoch, seq, about_at, verdict, at,
                           token_name, decided_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
on conflict (bucket, subject_id, number) do nothing
returning number;
