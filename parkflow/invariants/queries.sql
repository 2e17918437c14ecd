-- name: i01_transfers_in_the_operators_currency
-- A transfer balances by construction; what could still be wrong is a currency that its operator does not use.
select count(*) from ledger_transfer t join operator o on o.operator_id = t.operator_id where t.currency <> o.currency;

-- name: i02_receivable_is_what_is_owed
-- Per card: what the ledger says the driver owes is the sum of the charges that are not settled.
with booked as (
    select bucket, owner, sum(amount_minor) as amount_minor
      from (
            select bucket, debit_owner as owner, amount_minor from ledger_transfer where debit_kind = 'driver_receivable'
            union all
            select bucket, credit_owner, -amount_minor from ledger_transfer where credit_kind = 'driver_receivable'
           ) as side
     group by bucket, owner
), owed as (
    select bucket, card_id::text as owner, sum(net_minor) as amount_minor
      from charge
     where kind <> 'deposit' and state in ('due', 'attempting', 'arrears')
     group by bucket, card_id
)
select count(*)
  from booked b
  full join owed o on o.bucket = b.bucket and o.owner = b.owner
 where coalesce(b.amount_minor, 0) <> coalesce(o.amount_minor, 0);

-- name: i02_deposit_held_is_what_was_paid
-- Per card: the deposit in the ledger is what was paid and not given back.
with booked as (
    select bucket, owner, sum(amount_minor) as amount_minor
      from (
            select bucket, credit_owner as owner, amount_minor from ledger_transfer where credit_kind = 'deposit_held'
            union all
            select bucket, debit_owner, -amount_minor from ledger_transfer where debit_kind = 'deposit_held'
           ) as side
     group by bucket, owner
), held as (
    select bucket, card_id::text as owner, sum(net_minor - refunded_minor) as amount_minor
      from charge
     where kind = 'deposit' and state in ('paid', 'part_refunded', 'refunded')
     group by bucket, card_id
)
select count(*)
  from booked b
  full join held h on h.bucket = b.bucket and h.owner = b.owner
 where coalesce(b.amount_minor, 0) <> coalesce(h.amount_minor, 0);

-- name: i02_overpaid_is_what_was_not_given_back
-- Per card: second successes that are not refunded yet, and never less than nothing.
with booked as (
    select bucket, owner, sum(amount_minor) as amount_minor
      from (
            select bucket, credit_owner as owner, amount_minor from ledger_transfer where credit_kind = 'overpaid'
            union all
            select bucket, debit_owner, -amount_minor from ledger_transfer where debit_kind = 'overpaid'
           ) as side
     group by bucket, owner
), surplus as (
    select c.bucket, c.card_id::text as owner, sum(a.amount_minor - coalesce(f.amount_minor, 0)) as amount_minor
      from attempt a
      join charge c on c.bucket = a.bucket and c.charge_id = a.charge_id
      left join refund f on f.bucket = a.bucket and f.order_no = a.order_no and f.reason = 'surplus' and f.state = 'succeeded'
     where a.surplus
     group by c.bucket, c.card_id
)
select count(*)
  from booked b
  full join surplus s on s.bucket = b.bucket and s.owner = b.owner
 where coalesce(b.amount_minor, 0) <> coalesce(s.amount_minor, 0);

-- name: i02_clearing_is_what_the_channel_holds
-- Per channel: what went through clearing is what attempts took less what refunds gave back.
with booked as (
    select owner, sum(amount_minor) as amount_minor
      from (
            select debit_owner as owner, amount_minor from ledger_transfer where debit_kind = 'channel_clearing'
            union all
            select credit_owner, -amount_minor from ledger_transfer where credit_kind = 'channel_clearing'
           ) as side
     group by owner
), moved as (
    select channel as owner, sum(amount_minor) as amount_minor
      from (
            select channel, amount_minor from attempt where state = 'succeeded'
            union all
            select channel, -amount_minor from refund where state = 'succeeded'
           ) as flow
     group by channel
)
select count(*)
  from booked b
  full join moved m on m.owner = b.owner
 where coalesce(b.amount_minor, 0) <> coalesce(m.amount_minor, 0);

-- name: i03_every_event_follows_the_one_before_it
-- The hash chain of each journal, but for gates that were in quarantine: there a person has looked at the break.
select count(*)
  from (
        select e.seq, e.content_sha256, e.chain_sha256, lag(e.seq) over journal as seq_before, lag(e.chain_sha256) over journal as before
          from gate_event e
         where e.chain_sha256 is not null
           and not exists (select from state_change c where c.machine = 'gate' and c.subject_id = e.gate_id and c.event = 'quarantine')
        window journal as (partition by e.bucket, e.gate_id, e.epoch order by e.seq)
       ) as link
 where chain_sha256 <> sha256(case when seq = 1 then decode(repeat('00', 32), 'hex') else before end || content_sha256)
   and (seq = 1 or seq = seq_before + 1);

-- name: i03_every_accepted_event_is_one_scan_or_sighting
-- Events that we accepted less the scans of codes and the sightings that we have, either way.
select abs((select count(*) from gate_event where verdict = 'accepted' and medium = 'code')
           - (select count(*) from scan where medium = 'code'))
       + abs((select count(*) from gate_event where verdict = 'accepted' and medium <> 'code') - (select count(*) from sighting));

-- name: i03_a_matched_sighting_is_one_scan_of_its_card
-- And every scan without a code is a matched sighting. One that another reader saw as well has no scan of its own.
select count(*)
  from (
        select gate_id, epoch, seq, card_id, direction, medium
          from (
                select gate_id, epoch, seq, card_id, direction, medium, 1 as side
                  from sighting
                 where state = 'matched' and reason <> 'seen_twice'
                union all
                select gate_id, epoch, seq, card_id, direction, medium, -1 from scan where medium <> 'code'
               ) as both_sides
         group by gate_id, epoch, seq, card_id, direction, medium
        having sum(side) <> 0
       ) as alone;

-- name: i03_every_plate_of_a_driver_is_found
-- A vehicle and its entry in the directory of plates are written together.
select count(*)
  from (
        select account_id, plate_index
          from (
                select account_id, plate_index, 1 as side from vehicle
                union all
                select account_id, plate_index, -1 from plate_directory
               ) as both_sides
         group by account_id, plate_index
        having sum(side) <> 0
       ) as alone;

-- name: i03_every_replay_has_its_first_use
select count(*)
  from scan_replay r
  left join scan s on s.bucket = r.bucket and s.code_id = r.code_id
 where s.code_id is null;

-- name: i04_an_applied_scan_is_an_end_of_its_stay
-- So one code is part of at most one charged passage.
select count(*)
  from scan s
  left join stay t on t.bucket = s.bucket and t.stay_id = s.stay_id and t.card_id = s.card_id and t.lot_id = s.lot_id
       and ((t.entry_gate_id, t.entry_epoch, t.entry_seq) = (s.gate_id, s.epoch, s.seq)
            or (t.exit_gate_id, t.exit_epoch, t.exit_seq) = (s.gate_id, s.epoch, s.seq))
 where s.state = 'applied' and t.stay_id is null;

-- name: i04_a_charge_is_the_fee_of_its_stay
-- The first charge and all adjustments come to the fee; while a correction is not followed yet, they come to what they were.
with moved as (
    select bucket, stay_id, sum(to_minor - from_minor) as moved_minor from adjustment group by bucket, stay_id
)
select count(*)
  from charge c
  left join stay t on t.bucket = c.bucket and t.stay_id = c.charge_id
  left join moved m on m.bucket = c.bucket and m.stay_id = c.charge_id
 where c.kind = 'stay'
   and (t.stay_id is null or t.card_id <> c.card_id or t.lot_id is distinct from c.lot_id
        or (t.corrections = t.adjusted
            and c.gross_minor + coalesce(m.moved_minor, 0) <> case when t.state = 'priced' then t.fee_minor else 0 end));

-- name: i04_adjustments_follow_each_other
-- Each begins where the one before it, or the first charge, ended; and no correction moves money twice.
select (
        select count(*)
          from (
                select a.from_minor,
                       coalesce(lag(a.to_minor) over (partition by a.bucket, a.stay_id order by a.number), c.net_minor) as before_minor
                  from adjustment a
                  left join charge c on c.bucket = a.bucket and c.charge_id = a.stay_id
               ) as step
         where before_minor is distinct from from_minor
       ) + (
        select count(*)
          from (select 1 from adjustment group by bucket, stay_id, correction having count(*) > 1) as twice
       );

-- name: i04_an_adjustment_moved_what_it_says
-- What it raised is a charge of its own, and what it gave back are refunds of the stay's charges.
with stay_charge as (
    select bucket, stay_id, stay_id as charge_id from adjustment
    union
    select bucket, stay_id, charge_id from adjustment where charge_id is not null
), given as (
    select c.bucket, c.stay_id, sum(f.amount_minor) as amount_minor
      from stay_charge c
      join refund f on f.bucket = c.bucket and f.charge_id = c.charge_id and f.reason = 'correction'
     group by c.bucket, c.stay_id
)
select (
        select count(*)
          from adjustment a
          left join charge c on c.bucket = a.bucket and c.charge_id = a.charge_id and c.kind = 'adjustment' and c.card_id = a.card_id
         where a.charge_id is not null and c.net_minor is distinct from a.raised_minor
       ) + (
        select count(*)
          from charge c
          left join adjustment a on a.bucket = c.bucket and a.charge_id = c.charge_id
         where c.kind = 'adjustment' and a.charge_id is null
       ) + (
        select count(*)
          from (select bucket, stay_id, sum(refunded_minor) as amount_minor from adjustment group by bucket, stay_id) a
          left join given g on g.bucket = a.bucket and g.stay_id = a.stay_id
         where a.amount_minor > coalesce(g.amount_minor, 0)
       );

-- name: i05_paid_means_one_success
-- Charges said to be paid without exactly one success of the whole amount, and successes of charges that are not paid.
with success as (
    select bucket, charge_id, count(*) as successes, sum(amount_minor) as amount_minor
      from attempt
     where state = 'succeeded' and not surplus
     group by bucket, charge_id
)
select count(*)
  from charge c
  full join success s on s.bucket = c.bucket and s.charge_id = c.charge_id
 where (coalesce(c.state, '') in ('paid', 'part_refunded', 'refunded')) <> (s.charge_id is not null)
    or (s.charge_id is not null and (s.successes <> 1 or s.amount_minor <> c.net_minor));

-- name: i05_a_second_success_is_given_back
select count(*)
  from attempt a
  left join refund f on f.bucket = a.bucket and f.order_no = a.order_no and f.reason = 'surplus' and f.amount_minor = a.amount_minor
 where a.surplus and f.refund_no is null;

-- name: i07_unknown_does_not_last
-- By 25 hours after the answer was lost, the bill of its day has told. $1 now
select count(*) from attempt where state = 'unknown' and unknown_at < $1::timestamptz - interval '25 hours';

-- name: i08_arrears_are_the_charges_in_arrears
-- Open rows and charges in that state, one for one with the same amount; a payment may be a few minutes ahead of its row.
-- $1 now
select count(*)
  from (select * from arrears where cleared_at is null) a
  full join (select * from charge where state = 'arrears') c on c.bucket = a.bucket and c.charge_id = a.charge_id
  left join charge p on p.bucket = a.bucket and p.charge_id = a.charge_id
 where (a.charge_id is null or c.charge_id is null or a.amount_minor <> c.net_minor)
   and not (p.state = 'waived' or coalesce(p.paid_at, '-infinity') >= $1::timestamptz - interval '10 minutes');

-- name: i08_who_is_in_arrears_is_frozen
-- Cards with open arrears that no freeze names, and freezes for arrears that nobody has.
select count(*)
  from (select bucket, card_id from arrears where cleared_at is null group by bucket, card_id) a
  full join (select bucket, card_id from card_freeze where reason = 'arrears') f on f.bucket = a.bucket and f.card_id = a.card_id
 where a.card_id is null or f.card_id is null;

-- name: i08_a_card_is_frozen_exactly_when_a_reason_stands
select count(*)
  from card c
  left join (select bucket, card_id from card_freeze group by bucket, card_id) f on f.bucket = c.bucket and f.card_id = c.card_id
 where (c.state = 'frozen' and f.card_id is null) or (c.state = 'active' and f.card_id is not null);

-- name: i09_no_credential_while_in_arrears
select count(*)
  from credential k
  join arrears a on a.bucket = k.bucket and a.card_id = k.card_id
 where k.issued_at > a.opened_at and k.issued_at < coalesce(a.cleared_at, 'infinity');

-- name: i09_no_credential_while_returning
select count(*)
  from credential k
  join card_return r on r.bucket = k.bucket and r.card_id = k.card_id
 where k.issued_at > r.requested_at and k.issued_at < coalesce(r.ended_at, 'infinity');

-- name: i10_refunds_stay_within_what_was_paid
-- Per order: refunds that succeeded or still may, against what the order took.
with given as (
    select bucket, order_no, sum(amount_minor) as amount_minor
      from refund
     where state <> 'declined'
     group by bucket, order_no
)
select count(*)
  from given g
  left join attempt a on a.bucket = g.bucket and a.order_no = g.order_no and a.state = 'succeeded'
 where a.order_no is null or g.amount_minor > a.amount_minor;

-- name: i10_a_deposit_goes_back_once
select count(*)
  from (
        select bucket, card_id
          from refund
         where reason = 'deposit_return' and state <> 'declined'
         group by bucket, card_id
        having count(*) > 1
       ) as twice;

-- name: i11_no_refund_before_the_wait_is_over
select count(*) from card_return where state in ('releasing', 'completed') and decided_at < release_after;

-- name: i11_no_refund_while_money_was_owed
-- Charges that existed when the refund was decided and were not settled then.
select count(*)
  from card_return r
  join charge c on c.bucket = r.bucket and c.card_id = r.card_id
 where r.state in ('releasing', 'completed') and c.created_at < r.decided_at and c.state <> 'waived'
   and coalesce(c.paid_at, 'infinity') > r.decided_at;

-- name: i11_no_refund_while_a_scan_was_unsettled
select count(*)
  from card_return r
  join scan s on s.bucket = r.bucket and s.card_id = r.card_id
 where r.state in ('releasing', 'completed') and s.received_at < r.decided_at and s.state in ('received', 'held');

-- name: i11_no_refund_before_the_gates_told
-- A watermark never goes back, so one that is behind now was behind then.
select count(*)
  from card_return r
  join gate g on g.operator_id = r.operator_id and g.state <> 'retired' and g.created_at <= r.requested_at
  left join (
        select distinct on (gate_id) gate_id, complete_to from gate_watermark order by gate_id, epoch desc
       ) as m on m.gate_id = g.gate_id
  left join (select gate_id, max(until_at) as until_at from return_exception group by gate_id) e on e.gate_id = g.gate_id
 where r.state in ('releasing', 'completed')
   and coalesce(m.complete_to, '-infinity') < r.requested_at and coalesce(e.until_at, '-infinity') < r.requested_at;

-- name: i11_a_completed_return_returned_its_card_and_deposit
select count(*)
  from card_return r
  join card k on k.bucket = r.bucket and k.card_id = r.card_id
  left join charge c on c.bucket = r.bucket and c.charge_id = r.card_id and c.kind = 'deposit'
 where r.state = 'completed' and (k.state <> 'returned' or c.state in ('paid', 'part_refunded'));

-- name: i13_stays_of_a_card_in_a_lot_do_not_overlap
-- A stay without exit that was given up ends, for this, where it began; one that is void never was.
select count(*)
  from stay a
  join stay b on b.bucket = a.bucket and b.card_id = a.card_id and b.lot_id = a.lot_id and b.stay_id > a.stay_id
 where a.state <> 'void' and b.state <> 'void'
   and a.entry_at < coalesce(b.exit_at, case when b.state = 'open' then 'infinity' else b.entry_at end)
   and b.entry_at < coalesce(a.exit_at, case when a.state = 'open' then 'infinity' else a.entry_at end);

-- name: i16_nothing_lands_behind_the_cut
select count(*)
  from ledger_transfer t
  join business_day d on d.operator_id = t.operator_id and d.day = t.business_day
 where t.posted_at > d.closed_at;

-- name: i16_days_follow_each_other
-- Days without the day before (but the first), and operators whose days have no open one at their end.
select (
        select count(*)
          from business_day d
          left join business_day before on before.operator_id = d.operator_id and before.day = d.day - 1
         where before.day is null and d.day > (select min(f.day) from business_day f where f.operator_id = d.operator_id)
       ) + (
        select count(*)
          from (select operator_id, max(day) as day from business_day group by operator_id) last
          join business_day d on d.operator_id = last.operator_id and d.day = last.day
         where d.state = 'closed'
       );

-- name: i17_bundles_go_forward
-- A newer version that is older, and gates that say they hold one that was never made.
select (
        select count(*)
          from bundle a
          join bundle b on b.operator_id = a.operator_id and b.version > a.version
         where b.issued_at < a.issued_at
       ) + (
        select count(*)
          from gate_watermark w
          join gate g on g.gate_id = w.gate_id
          left join (select operator_id, max(version) as version from bundle group by operator_id) v
            on v.operator_id = g.operator_id
         where w.bundle_version > coalesce(v.version, 0)
       );

-- name: i18_gate_and_server_agree_on_signatures
select count(*)
  from gate_event
 where gate_verdict = 'accepted' and verdict in ('rejected:bad_issuer_signature', 'rejected:bad_code_signature');

-- name: i19_no_row_belongs_to_two_operators
select (
        select count(*) from gate g join lot l on l.lot_id = g.lot_id where l.operator_id <> g.operator_id
       ) + (
        select count(*) from scan s join lot l on l.lot_id = s.lot_id where l.operator_id <> s.operator_id
       ) + (
        select count(*) from stay s join lot l on l.lot_id = s.lot_id where l.operator_id <> s.operator_id
       ) + (
        select count(*)
          from sighting s join lot l on l.lot_id = s.lot_id join gate g on g.gate_id = s.gate_id
         where l.operator_id <> s.operator_id or g.operator_id <> s.operator_id
       ) + (
        select count(*)
          from charge c join card k on k.bucket = c.bucket and k.card_id = c.card_id
         where k.operator_id <> c.operator_id
       ) + (
        select count(*)
          from scan s join card k on k.bucket = s.bucket and k.card_id = s.card_id
         where k.operator_id <> s.operator_id
       ) + (
        select count(*)
          from arrears a join charge c on c.bucket = a.bucket and c.charge_id = a.charge_id
         where c.operator_id <> a.operator_id or c.card_id <> a.card_id
       ) + (
        select count(*)
          from refund f join charge c on c.bucket = f.bucket and c.charge_id = f.charge_id
         where c.operator_id <> f.operator_id or c.card_id <> f.card_id
       );

-- name: i19_events_and_scans_are_of_gates_lots_and_cards
-- What ingest proves by the request and by the credential instead of by foreign keys.
select (
        select count(*) from gate_event e left join gate g on g.gate_id = e.gate_id where g.gate_id is null
       ) + (
        select count(*)
          from scan s
          left join gate g on g.gate_id = s.gate_id and g.operator_id = s.operator_id and g.lot_id = s.lot_id
          left join card c on c.bucket = s.bucket and c.card_id = s.card_id
         where g.gate_id is null or c.card_id is null
       );

-- name: i19_what_a_row_names_is_there
-- Cards, operators, lots, tariff versions and days are never deleted; stays, charges and transfers name them without foreign keys.
select (
        select count(*)
          from stay s
          left join card k on k.bucket = s.bucket and k.card_id = s.card_id and k.operator_id = s.operator_id
          left join lot l on l.lot_id = s.lot_id
          left join tariff_version v on v.operator_id = s.operator_id and v.sha256 = s.tariff_sha256
         where k.card_id is null or l.lot_id is null or (s.tariff_sha256 is not null and v.sha256 is null)
       ) + (
        select count(*)
          from charge c
          left join card k on k.bucket = c.bucket and k.card_id = c.card_id
          left join lot l on l.lot_id = c.lot_id
          left join tariff_version v on v.operator_id = c.operator_id and v.sha256 = c.tariff_sha256
         where k.card_id is null or (c.lot_id is not null and l.lot_id is null) or (c.tariff_sha256 is not null and v.sha256 is null)
       ) + (
        select count(*)
          from ledger_transfer t
          left join business_day d on d.operator_id = t.operator_id and d.day = t.business_day
         where d.day is null
       );

-- name: i20_histories_have_no_gap
-- Each recorded change begins in the state in which the one before it ended.
select count(*)
  from (
        select from_state, lag(to_state) over (partition by bucket, machine, subject_id order by at) as before
          from state_change
       ) as change
 where before <> from_state;

-- name: i20_the_last_change_is_the_state
with last_change as (
    select distinct on (bucket, machine, subject_id) bucket, machine, subject_id, to_state
      from state_change
     where machine in ('card', 'agreement', 'card_return')
     order by bucket, machine, subject_id, at desc
)
select (
        select count(*)
          from card c join last_change l on l.bucket = c.bucket and l.machine = 'card' and l.subject_id = c.card_id
         where l.to_state <> c.state
       ) + (
        select count(*)
          from agreement a
          join last_change l on l.bucket = a.bucket and l.machine = 'agreement' and l.subject_id = a.agreement_id
         where l.to_state <> a.state
       ) + (
        select count(*)
          from card_return r
          join last_change l on l.bucket = r.bucket and l.machine = 'card_return' and l.subject_id = r.return_id
         where l.to_state <> r.state
       );

-- name: l01_no_work_is_left_lying
-- Liveness: what was due an hour ago and nobody did (scans, prices, charges, attempts that were never sent, decisions), and corrections
-- that the money did not follow, which may have waited for the bill of an unknown attempt. $1 now
select (
        select count(*) from stay_decision where applied_at is null and decided_at < $1::timestamptz - interval '1 hour'
       ) + (
        select count(*)
          from stay s
          join stay_correction c on c.bucket = s.bucket and c.stay_id = s.stay_id and c.number = s.corrections
         where s.corrections > s.adjusted and s.charged_at is not null and c.corrected_at < $1::timestamptz - interval '26 hours'
       ) + (
        select count(*) from scan where state = 'received' and received_at < $1::timestamptz - interval '1 hour'
       ) + (
        select count(*) from stay where state = 'closed' and created_at < $1::timestamptz - interval '1 hour'
       ) + (
        select count(*)
          from stay s
          left join charge c on c.bucket = s.bucket and c.charge_id = s.stay_id
         where s.state = 'priced' and s.fee_minor > 0 and c.charge_id is null
           and s.priced_at < $1::timestamptz - interval '1 hour'
       ) + (
        select count(*) from attempt where state in ('recorded', 'sent') and created_at < $1::timestamptz - interval '1 hour'
       );
