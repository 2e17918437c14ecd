-- name: stay_of_receipt
-- A stay with all that its receipt says but the tariff's text; its first charge has the stay's id, and where adjustments followed, all of
-- them come to the fee. $1 bucket, $2 stay, $3 account or null for any, $4 operator or null for any
select s.stay_id, s.state, s.lot_id, l.name as lot_name, s.operator_id, o.name as operator_name,
       s.entry_gate_id, s.entry_epoch, s.entry_seq, s.entry_at, s.exit_gate_id, s.exit_epoch, s.exit_seq, s.exit_at,
       s.tariff_sha256, s.fee_minor, s.fee_lines,
       s.marks, s.corrections > s.adjusted and s.charged_at is not null as is_behind,
       coalesce(m.charge_state, c.state) as charge_state,
       case when m.adjustments > 0 then coalesce(s.fee_minor, 0) else c.gross_minor end as gross_minor,
       case when m.adjustments > 0 then 0 else c.discount_minor end as discount_minor,
       case when m.adjustments > 0 then coalesce(s.fee_minor, 0) else c.net_minor end as net_minor,
       coalesce(m.paid_at, c.paid_at) as paid_at, c.refunded_minor + coalesce(m.refunded_minor, 0) as refunded_minor
  from stay s
  join card k on k.bucket = s.bucket and k.card_id = s.card_id
  join lot l on l.lot_id = s.lot_id
  join operator o on o.operator_id = s.operator_id
  left join charge c on c.bucket = s.bucket and c.charge_id = s.stay_id
  left join lateral (
        select count(*) as adjustments, max(n.paid_at) as paid_at, sum(n.refunded_minor)::bigint as refunded_minor,
               (array_agg(n.state order by a.number desc) filter (where n.state <> 'waived'))[1] as charge_state
          from adjustment a
          left join charge n on n.bucket = a.bucket and n.charge_id = a.charge_id
         where a.bucket = s.bucket and a.stay_id = s.stay_id
       ) as m on true
 where s.bucket = $1 and s.stay_id = $2
   and ($3::bigint is null or k.account_id = $3)
   and ($4::bigint is null or s.operator_id = $4);

-- name: orders_of_charge
-- The payments that the channel took for the charges of a stay. $1 bucket, $2 stay
select order_no, channel, amount_minor, channel_paid_at as paid_at, surplus
  from attempt
 where bucket = $1 and state = 'succeeded'
   and (charge_id = $2 or charge_id in (select a.charge_id from adjustment a where a.bucket = $1 and a.stay_id = $2))
 order by channel_paid_at, order_no;

-- name: refunds_of_charge
-- What went back of them, once the channel has said so. $1 bucket, $2 stay
select refund_no, order_no, reason, amount_minor, coalesce(channel_refunded_at, answered_at) as refunded_at
  from refund
 where bucket = $1 and state = 'succeeded'
   and (charge_id = $2 or charge_id in (select a.charge_id from adjustment a where a.bucket = $1 and a.stay_id = $2))
   and coalesce(channel_refunded_at, answered_at) is not null
 order by created_at, refund_no;
