-- name: stay_of_receipt
-- A stay with all that its receipt says but the tariff's text; its charge has the stay's id. $1 bucket, $2 stay, $3 account or null
-- for any, $4 operator or null for any
select s.stay_id, s.state, s.lot_id, l.name as lot_name, s.operator_id, o.name as operator_name,
       s.entry_gate_id, s.entry_epoch, s.entry_seq, s.entry_at, s.exit_gate_id, s.exit_epoch, s.exit_seq, s.exit_at,
       s.tariff_sha256, s.fee_minor, s.fee_lines,
       c.state as charge_state, c.gross_minor, c.discount_minor, c.net_minor, c.paid_at, c.refunded_minor
  from stay s
  join card k on k.bucket = s.bucket and k.card_id = s.card_id
  join lot l on l.lot_id = s.lot_id
  join operator o on o.operator_id = s.operator_id
  left join charge c on c.bucket = s.bucket and c.charge_id = s.stay_id
 where s.bucket = $1 and s.stay_id = $2
   and ($3::bigint is null or k.account_id = $3)
   and ($4::bigint is null or s.operator_id = $4);

-- name: orders_of_charge
-- The payments that the channel took for a charge. $1 bucket, $2 charge
select order_no, channel, amount_minor, channel_paid_at as paid_at, surplus
  from attempt
 where bucket = $1 and charge_id = $2 and state = 'succeeded'
 order by number;

-- name: refunds_of_charge
-- What went back, once the channel has said so. $1 bucket, $2 charge
select refund_no, order_no, reason, amount_minor, coalesce(channel_refunded_at, answered_at) as refunded_at
  from refund
 where bucket = $1 and charge_id = $2 and state = 'succeeded' and coalesce(channel_refunded_at, answered_at) is not null
 order by created_at, refund_no;
