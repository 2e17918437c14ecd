-- name: stays_to_pair
-- Stays that a scan from $4 on (per group) may change, with the scans of their ends: all from the last one on that began before it with
-- a scan that is not in doubt, and of what came before $4 only those whose end no gate saw, is in doubt, or may be repeated by a scan; and
-- where $5 says so, whatever their end.
-- $1 buckets, $2 cards, $3 lots
select s.bucket, s.card_id, s.lot_id, s.stay_id, s.operator_id, s.vehicle_class, s.state, s.version, s.marks,
       s.entry_gate_id, s.entry_epoch, s.entry_seq, s.entry_at, s.exit_gate_id, s.exit_epoch, s.exit_seq, s.exit_at,
       e.scanned_at as entry_scanned_at, e.earliest_at as entry_earliest_at, e.latest_at as entry_latest_at, e.medium as entry_medium,
       x.scanned_at as exit_scanned_at, x.earliest_at as exit_earliest_at, x.latest_at as exit_latest_at, x.medium as exit_medium
  from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::boolean[])
       as k (bucket, card_id, lot_id, since, with_end)
  join stay s on s.bucket = k.bucket and s.card_id = k.card_id and s.lot_id = k.lot_id
             and s.entry_at >= coalesce((select max(p.entry_at)
                                           from stay p
                                          where p.bucket = k.bucket and p.card_id = k.card_id and p.lot_id = k.lot_id
                                            and p.entry_at < k.since and p.entry_gate_id is not null and p.state <> 'void'
                                            and not 'clock_doubt' = any (p.marks)),
                                        '-infinity')
  left join scan e on e.bucket = s.bucket and e.gate_id = s.entry_gate_id and e.epoch = s.entry_epoch and e.seq = s.entry_seq
  left join scan x on x.bucket = s.bucket and x.gate_id = s.exit_gate_id and x.epoch = s.exit_epoch and x.seq = s.exit_seq
 where s.exit_at is null or s.exit_gate_id is null or s.exit_at >= k.since - interval '60 seconds'
    or s.entry_at >= k.since or 'clock_doubt' = any (s.marks) or k.with_end
 order by s.entry_at, s.stay_id;

-- name: groups_given_up
-- Cards in lots with stays that are open for longer than is waited for their exits. $1 owner, $2 buckets, then per lot $3 lot,
-- $4 entered before
select s.bucket, s.card_id, s.lot_id
  from stay s
  join bucket_lease l on l.bucket = s.bucket and l.owner = $1
  join unnest($3::bigint[], $4::timestamptz[]) as p (lot_id, entered_before) on p.lot_id = s.lot_id
 where s.bucket = any ($2::smallint[]) and s.state = 'open' and s.entry_at < p.entered_before;

-- name: lots_with_open_stays
-- $1 buckets
select distinct s.lot_id from stay s where s.bucket = any ($1::smallint[]) and s.state = 'open';

-- name: record_corrections
-- What stays were before they are corrected. $1 owner, $2 now, then per stay $3 bucket, $4 stay, $5 version that it has, $6 reason
insert into stay_correction (bucket, stay_id, number, reason, corrected_at, was_state, was_entry_at, was_exit_at, was_marks, was_fee_minor,
                             was_tariff_sha256, was_fee_lines)
select s.bucket, s.stay_id, s.corrections + 1, c.reason, $2, s.state, s.entry_at, s.exit_at, s.marks, s.fee_minor, s.tariff_sha256,
       s.fee_lines
  from unnest($3::smallint[], $4::bigint[], $5::integer[], $6::text[]) as c (bucket, stay_id, version, reason)
  join stay s on s.bucket = c.bucket and s.stay_id = c.stay_id and s.version = c.version
  join bucket_lease l on l.bucket = c.bucket and l.owner = $1;

-- name: change_stays
-- Stays get other ends or another state; what has to be priced again loses its fee. Nobody else may have changed them meanwhile.
-- $1 owner, then per stay $2 bucket, $3 stay, $4 version that it has, $5 entry gate, $6 epoch, $7 seq, $8 at, $9 exit gate, $10 epoch,
-- $11 seq, $12 at, $13 state, $14 reason, $15 marks joined by commas, $16 whether it is a correction, $17 whether the fee goes,
-- $18 states that may become so, joined by commas
update stay s
   set entry_gate_id = c.entry_gate_id, entry_epoch = c.entry_epoch, entry_seq = c.entry_seq, entry_at = c.entry_at,
       exit_gate_id = c.exit_gate_id, exit_epoch = c.exit_epoch, exit_seq = c.exit_seq, exit_at = c.exit_at,
       state = c.state, reason = c.reason, marks = string_to_array(c.marks, ','), version = s.version + 1,
       corrections = s.corrections + case when c.is_correction then 1 else 0 end,
       fee_minor = case when not c.loses_fee then s.fee_minor end,
       fee_lines = case when not c.loses_fee then s.fee_lines end,
       tariff_sha256 = case when not c.loses_fee then s.tariff_sha256 end,
       tzdata_version = case when not c.loses_fee then s.tzdata_version end,
       priced_at = case when not c.loses_fee then s.priced_at end
  from unnest($2::smallint[], $3::bigint[], $4::integer[], $5::bigint[], $6::bigint[], $7::bigint[], $8::timestamptz[], $9::bigint[],
              $10::bigint[], $11::bigint[], $12::timestamptz[], $13::text[], $14::text[], $15::text[], $16::boolean[], $17::boolean[],
              $18::text[])
       as c (bucket, stay_id, version, entry_gate_id, entry_epoch, entry_seq, entry_at, exit_gate_id, exit_epoch, exit_seq, exit_at,
             state, reason, marks, is_correction, loses_fee, sources),
       bucket_lease l
 where s.bucket = c.bucket and s.stay_id = c.stay_id and s.version = c.version and s.state = any (string_to_array(c.sources, ','))
   and l.bucket = c.bucket and l.owner = $1
returning s.stay_id;

-- name: groups_decided
-- Cards in lots of which a person decided something that is not carried out. $1 owner, $2 buckets
select distinct d.bucket, d.card_id, d.lot_id
  from stay_decision d
  join bucket_lease l on l.bucket = d.bucket and l.owner = $1
 where d.bucket = any ($2::smallint[]) and d.applied_at is null;

-- name: decisions
-- What persons decided in these groups, the last one last. $1 buckets, $2 cards, $3 lots
select d.bucket, d.card_id, d.lot_id, d.subject_id, d.number, d.stay_id, d.gate_id, d.epoch, d.seq, d.about_at, d.verdict, d.at,
       d.applied_at is null as is_new
  from unnest($1::smallint[], $2::bigint[], $3::bigint[]) as k (bucket, card_id, lot_id)
  join stay_decision d on d.bucket = k.bucket and d.card_id = k.card_id and d.lot_id = k.lot_id
 order by d.subject_id, d.number;

-- name: note_applied
-- $1 now, then per decision $2 bucket, $3 subject, $4 number
update stay_decision d
   set applied_at = $1
  from unnest($2::smallint[], $3::bigint[], $4::integer[]) as k (bucket, subject_id, number)
 where d.bucket = k.bucket and d.subject_id = k.subject_id and d.number = k.number and d.applied_at is null;

-- name: tariffs_before
-- $1 buckets, $2 stays
select s.stay_id, c.was_tariff_sha256
  from unnest($1::smallint[], $2::bigint[]) as k (bucket, stay_id)
  join stay s on s.bucket = k.bucket and s.stay_id = k.stay_id
  join stay_correction c on c.bucket = s.bucket and c.stay_id = s.stay_id and c.number = s.corrections
 where c.was_tariff_sha256 is not null;

-- name: priced_of_cards
-- $1 buckets, $2 cards, $3 ended from
select s.bucket, s.stay_id, s.card_id, s.operator_id, s.lot_id, s.vehicle_class, s.entry_at, s.exit_at, s.tariff_sha256, s.version
  from unnest($1::smallint[], $2::bigint[], $3::timestamptz[]) as k (bucket, card_id, since)
  join stay s on s.bucket = k.bucket and s.card_id = k.card_id
 where s.state = 'priced' and s.exit_at >= k.since
 order by s.exit_at, s.stay_id;

-- name: reopen_stays
-- $1 owner, then per stay $2 bucket, $3 stay, $4 version that it has
update stay s
   set state = 'closed', version = s.version + 1, corrections = s.corrections + 1, fee_minor = null, fee_lines = null,
       tariff_sha256 = null, tzdata_version = null, priced_at = null
  from unnest($2::smallint[], $3::bigint[], $4::integer[]) as k (bucket, stay_id, version), bucket_lease l
 where s.bucket = k.bucket and s.stay_id = k.stay_id and s.version = k.version and s.state = 'priced'
   and l.bucket = k.bucket and l.owner = $1
returning s.stay_id;
