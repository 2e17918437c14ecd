-- name: due_steps
-- One look instead of a transaction per step: which steps may find something to do. It may say yes too often, never no wrongly: every
-- condition here is that of the step's own question, or wider. $1 owner, $2 buckets, $3 now
select exists (select from sighting where bucket = any ($2::smallint[]) and look_at <= $3) as match_sightings,
       exists (select from scan where bucket = any ($2::smallint[]) and state in ('received', 'held'))
           or exists (select from stay_decision where bucket = any ($2::smallint[]) and applied_at is null)
           or exists (select from stay where bucket = any ($2::smallint[]) and state = 'closed') as apply,
       exists (select from stay where bucket = any ($2::smallint[]) and state = 'priced' and fee_minor > 0 and charged_at is null) as charge,
       exists (select from stay
                where bucket = any ($2::smallint[]) and corrections > adjusted and charged_at is not null) as adjust,
       exists (select from charge where bucket = any ($2::smallint[]) and state in ('due', 'arrears') and next_attempt_at <= $3) as deduct,
       exists (select from attempt
                where bucket = any ($2::smallint[]) and state in ('recorded', 'sent', 'unknown')
                  and (next_query_at <= $3 or owner <> $1)) as query,
       exists (select from attempt a
                where a.bucket = any ($2::smallint[]) and a.surplus
                  and not exists (select from refund r where r.bucket = a.bucket and r.order_no = a.order_no and r.reason = 'surplus'))
           or exists (select from refund
                       where bucket = any ($2::smallint[]) and state in ('recorded', 'sent', 'unknown') and next_try_at <= $3) as refund,
       exists (select from arrears a join charge c on c.bucket = a.bucket and c.charge_id = a.charge_id
                where a.bucket = any ($2::smallint[]) and a.cleared_at is null and c.state not in ('due', 'attempting', 'arrears'))
           as clear_arrears,
       exists (select from card_return where bucket = any ($2::smallint[]) and state not in ('completed', 'withdrawn')) as advance_returns,
       exists (select from notice where bucket = any ($2::smallint[]) and sent_at is null) as send_notices;
