-- name: worker_caught_up
-- Whether a worker has done all that was due by $1.
select exists (select from worker_progress where caught_up_to >= $1)

-- name: next_due
-- When the next thing falls due after $1: an attempt, a question to the channel, a refund, a card's release.
select min(due)
  from (select min(next_attempt_at) as due from charge where state in ('due', 'arrears') and next_attempt_at > $1
        union all
        select min(next_query_at) from attempt where state in ('recorded', 'sent', 'unknown') and next_query_at > $1
        union all
        select min(next_try_at) from refund where state in ('recorded', 'sent', 'unknown') and next_try_at > $1
        union all
        select min(release_after) from card_return
         where state in ('requested', 'waiting', 'blocked') and release_after > $1) as coming

-- name: cards_in_arrears
-- Cards with arrears that are not paid yet.
select distinct bucket, card_id from arrears where cleared_at is null

-- name: is_empty
-- Whether nothing was ever set up in this database.
select not exists (select from operator)

-- name: lot_figures
-- Per lot of operator $1: stays, their fees, what of them was paid, what is in arrears.
select l.reference as lot,
       count(s.stay_id) as stays,
       coalesce(sum(s.fee_minor), 0)::bigint as charged_minor,
       coalesce(sum(c.net_minor) filter (where c.state in ('paid', 'part_refunded', 'refunded')), 0)::bigint as paid_minor,
       coalesce(sum(c.net_minor) filter (where c.state = 'arrears'), 0)::bigint as arrears_minor
  from lot l
  left join stay s on s.lot_id = l.lot_id
  left join charge c on c.bucket = s.bucket and c.charge_id = s.stay_id
 where l.operator_id = $1
 group by l.reference
 order by l.reference

-- name: stay_figures
-- The stays of operator $1 by state, and those that are neither priced nor explained by a reason.
select count(*) as stays,
       count(*) filter (where state = 'priced') as stays_priced,
       count(*) filter (where reason is not null) as stays_explained,
       count(*) filter (where state <> 'priced' and reason is null) as stays_unexplained
  from stay
 where operator_id = $1

-- name: charge_figures
-- The charges of operator $1: of stays and of deposits.
select count(*) filter (where kind = 'stay') as charges,
       coalesce(sum(net_minor) filter (where kind = 'stay'), 0)::bigint as charged_minor,
       coalesce(sum(net_minor) filter (where kind = 'stay' and paid_at is not null), 0)::bigint as paid_minor,
       coalesce(sum(net_minor) filter (where kind = 'stay' and state = 'arrears'), 0)::bigint as arrears_minor,
       coalesce(sum(net_minor) filter (where kind = 'stay' and state in ('due', 'attempting')), 0)::bigint as due_minor,
       coalesce(sum(net_minor) filter (where kind = 'deposit' and paid_at is not null), 0)::bigint as deposits_paid_minor,
       coalesce(sum(refunded_minor) filter (where kind = 'deposit'), 0)::bigint as deposits_refunded_minor,
       coalesce(sum(net_minor) filter (where state in ('due', 'attempting', 'arrears')), 0)::bigint as open_minor
  from charge
 where operator_id = $1

-- name: attempt_figures
-- The attempts for stays of operator $1, how they went, and which no answer has settled yet.
select count(*) as attempts,
       count(*) filter (where a.state = 'declined') as attempts_declined,
       count(*) filter (where a.unknown_at is not null) as attempts_unknown_seen,
       count(*) filter (where a.state in ('recorded', 'sent', 'unknown')) as attempts_unknown_left
  from attempt a
  join charge c on c.bucket = a.bucket and c.charge_id = a.charge_id
 where c.operator_id = $1 and c.kind = 'stay'

-- name: card_figures
-- Cards of operator $1: how many a cut-off ever put into arrears, how the returns stand, how many days are closed.
select (select count(distinct card_id) from arrears where operator_id = $1) as cards_frozen,
       (select count(*) from card_return where operator_id = $1 and state = 'completed') as returns_completed,
       (select count(*) from card_return where operator_id = $1 and blocked_count > 0) as returns_blocked,
       (select count(*) from business_day where operator_id = $1 and state = 'closed') as days_closed

-- name: ledger_figures
-- What the ledger of operator $1 says that drivers owe, that is held for them, and that the channel has for us.
select coalesce(sum(case when debit_kind = 'driver_receivable' then amount_minor else 0 end
                  - case when credit_kind = 'driver_receivable' then amount_minor else 0 end), 0)::bigint as owed_minor,
       coalesce(sum(case when credit_kind = 'deposit_held' then amount_minor else 0 end
                  - case when debit_kind = 'deposit_held' then amount_minor else 0 end), 0)::bigint as held_minor,
       coalesce(sum(case when debit_kind = 'channel_clearing' then amount_minor else 0 end
                  - case when credit_kind = 'channel_clearing' then amount_minor else 0 end), 0)::bigint as clearing_minor
  from ledger_transfer
 where operator_id = $1

-- name: scan_figures
-- Events of the gates of operator $1 that came long after they happened, and those that came on a later business day.
select count(*) filter (where e.received_at - e.scanned_at > interval '5 minutes') as scans_offline,
       count(*) filter (where (e.received_at at time zone o.time_zone - o.day_turn)::date
                            > (e.scanned_at at time zone o.time_zone - o.day_turn)::date) as scans_after_cutoff
  from gate_event e
  join gate g using (gate_id)
  join operator o using (operator_id)
 where o.operator_id = $1
