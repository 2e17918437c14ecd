-- name: insert_sightings
-- A gate resends until it is told; the key makes that harmless. The rows come sorted by their keys, so that two uploads wait for each
-- other in one order. $1 received at, then per sighting $2 bucket, $3 gate, $4 epoch, $5 seq, $6 sighting, $7 operator, $8 lot,
-- $9 direction, $10 medium, $11 blind index, $12 sealed, $13 lifted by, $14 scanned at, $15 earliest at, $16 latest at
insert into sighting (bucket, gate_id, epoch, seq, sighting_id, operator_id, lot_id, direction, medium, seen_index, seen_sealed,
                      lifted_by, scanned_at, earliest_at, latest_at, received_at, state, look_at)
select n.bucket, n.gate_id, n.epoch, n.seq, n.sighting_id, n.operator_id, n.lot_id, n.direction, n.medium, n.seen_index,
       n.seen_sealed, n.lifted_by, n.scanned_at, n.earliest_at, n.latest_at, $1, 'received', $1
  from unnest($2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::text[],
              $10::text[], $11::bytea[], $12::bytea[], $13::text[], $14::timestamptz[], $15::timestamptz[], $16::timestamptz[])
       as n (bucket, gate_id, epoch, seq, sighting_id, operator_id, lot_id, direction, medium, seen_index, seen_sealed, lifted_by,
             scanned_at, earliest_at, latest_at)
on conflict (bucket, gate_id, epoch, seq) do nothing;

-- name: sightings_due
-- Sightings that are to be looked at now, the longest due first; a quarantined gate's wait for a person. $1 owner, $2 buckets,
-- $3 now, $4 how many at most
select s.bucket, s.gate_id, s.epoch, s.seq, s.sighting_id, s.operator_id, s.lot_id, s.direction, s.medium, s.seen_index, s.scanned_at,
       s.earliest_at, s.latest_at, s.received_at, s.state, s.reason, s.card_id
  from sighting s
  join bucket_lease l on l.bucket = s.bucket and l.owner = $1
  join gate g on g.gate_id = s.gate_id and g.state <> 'quarantined'
 where s.bucket = any ($2::smallint[]) and s.look_at <= $3
 order by s.look_at, s.bucket, s.gate_id, s.epoch, s.seq
 limit $4;

-- name: undecided_of_plates
-- All that is undecided of some plates, also what is not due: sightings of one car are decided together. $1 bucket[], $2 index[]
select s.bucket, s.gate_id, s.epoch, s.seq, s.sighting_id, s.operator_id, s.lot_id, s.direction, s.medium, s.seen_index, s.scanned_at,
       s.earliest_at, s.latest_at, s.received_at, s.state, s.reason, s.card_id
  from unnest($1::smallint[], $2::bytea[]) as k (bucket, seen_index)
  join sighting s on s.bucket = k.bucket and s.seen_index = k.seen_index
  join gate g on g.gate_id = s.gate_id and g.state <> 'quarantined'
 where s.state in ('received', 'held') and s.medium = 'plate';

-- name: matched_of_plates
-- Which of the passages that are known by a plate are known by one of these. $1 bucket[], $2 index[]
select s.gate_id, s.epoch, s.seq, s.bucket, s.seen_index
  from unnest($1::smallint[], $2::bytea[]) as k (bucket, seen_index)
  join sighting s on s.bucket = k.bucket and s.seen_index = k.seen_index
 where s.state = 'matched' and s.medium = 'plate';

-- name: one_sighting
-- $1 bucket, $2 sighting
select bucket, gate_id, epoch, seq, sighting_id, operator_id, lot_id, direction, medium, seen_index, scanned_at, earliest_at, latest_at,
       received_at, state, reason, card_id
  from sighting
 where bucket = $1 and sighting_id = $2;

-- name: lifts_in_company
-- Lifts near which the same gate saw something else: events close in time are close in the journal. $1 gate bucket[], $2 gate[],
-- $3 epoch[], $4 seq[], $5 scanned at[], $6 how many seqs away at most, $7 how far away in time at most
select k.gate_id, k.epoch, k.seq
  from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[]) as k (bucket, gate_id, epoch, seq, scanned_at)
 where exists (
       select from gate_event e
        where e.bucket = k.bucket and e.gate_id = k.gate_id and e.epoch = k.epoch
          and e.seq between k.seq - $6::bigint and k.seq + $6::bigint and e.seq <> k.seq
          and e.scanned_at between k.scanned_at - $7::interval and k.scanned_at + $7::interval
       );

-- name: gates_told_to
-- Up to when gates have told all they saw. $1 buckets, $2 gates
select k.gate_id, max(w.complete_to) as complete_to
  from unnest($1::smallint[], $2::bigint[]) as k (bucket, gate_id)
  join gate_watermark w on w.bucket = k.bucket and w.gate_id = k.gate_id
 group by k.gate_id;

-- name: match_sightings
-- Only one of all that decide about a sighting finds it undecided. $1 owner, $2 now, $3 by whom, then per sighting $4 bucket, $5 gate,
-- $6 epoch, $7 seq, $8 card, $9 reason
update sighting s
   set state = 'matched', reason = m.reason, card_id = m.card_id, decided_at = $2, decided_by = $3, look_at = null
  from unnest($4::smallint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::text[])
       as m (bucket, gate_id, epoch, seq, card_id, reason),
       bucket_lease l
 where s.bucket = m.bucket and s.gate_id = m.gate_id and s.epoch = m.epoch and s.seq = m.seq and s.state in ('received', 'held')
   and l.bucket = m.bucket and l.owner = $1
returning s.bucket, s.gate_id, s.epoch, s.seq, s.sighting_id, s.operator_id, s.lot_id, s.direction, s.medium, s.seen_index,
          s.scanned_at, s.earliest_at, s.latest_at, s.received_at, s.state, s.reason, s.card_id;

-- name: insert_scans_of_sightings
-- From here on the passage is a scan of the card like any other. $1 now, then per scan $2 bucket of the card, $3 gate, $4 epoch, $5 seq,
-- $6 card, $7 operator, $8 lot, $9 direction, $10 scanned at, $11 earliest at, $12 latest at, $13 code id, $14 medium
insert into scan (bucket, gate_id, epoch, seq, card_id, operator_id, lot_id, direction, scanned_at, earliest_at, latest_at, code_id,
                  medium, state, received_at)
select n.bucket, n.gate_id, n.epoch, n.seq, n.card_id, n.operator_id, n.lot_id, n.direction, n.scanned_at, n.earliest_at, n.latest_at,
       n.code_id, n.medium, 'received', $1
  from unnest($2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::text[],
              $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::bytea[], $14::text[])
       as n (bucket, gate_id, epoch, seq, card_id, operator_id, lot_id, direction, scanned_at, earliest_at, latest_at, code_id, medium)
on conflict do nothing;

-- name: hold_sightings
-- $1 owner, then per sighting $2 bucket, $3 gate, $4 epoch, $5 seq, $6 reason, $7 look at
update sighting s
   set state = 'held', reason = h.reason, look_at = h.look_at
  from unnest($2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::timestamptz[])
       as h (bucket, gate_id, epoch, seq, reason, look_at),
       bucket_lease l
 where s.bucket = h.bucket and s.gate_id = h.gate_id and s.epoch = h.epoch and s.seq = h.seq and s.state in ('received', 'held')
   and l.bucket = h.bucket and l.owner = $1;

-- name: postpone_sightings
-- Nothing can be said yet. $1 owner, then per sighting $2 bucket, $3 gate, $4 epoch, $5 seq, $6 look at
update sighting s
   set look_at = p.look_at
  from unnest($2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::timestamptz[]) as p (bucket, gate_id, epoch, seq, look_at),
       bucket_lease l
 where s.bucket = p.bucket and s.gate_id = p.gate_id and s.epoch = p.epoch and s.seq = p.seq and s.state = 'received'
   and l.bucket = p.bucket and l.owner = $1;

-- name: note_sightings
-- $1 owner, $2 reason, then per sighting $3 bucket, $4 gate, $5 epoch, $6 seq
update sighting s
   set state = 'noted', reason = $2, look_at = null
  from unnest($3::smallint[], $4::bigint[], $5::bigint[], $6::bigint[]) as n (bucket, gate_id, epoch, seq), bucket_lease l
 where s.bucket = n.bucket and s.gate_id = n.gate_id and s.epoch = n.epoch and s.seq = n.seq and s.state = 'received'
   and l.bucket = n.bucket and l.owner = $1;

-- name: dismiss_sightings
-- Why they were held stays as the reason. $1 owner, $2 now, $3 by whom, then per sighting $4 bucket, $5 gate, $6 epoch, $7 seq
update sighting s
   set state = 'dismissed', decided_at = $2, decided_by = $3, look_at = null
  from unnest($4::smallint[], $5::bigint[], $6::bigint[], $7::bigint[]) as d (bucket, gate_id, epoch, seq), bucket_lease l
 where s.bucket = d.bucket and s.gate_id = d.gate_id and s.epoch = d.epoch and s.seq = d.seq and s.state = 'held'
   and l.bucket = d.bucket and l.owner = $1;

-- name: hurry_sightings
-- Something new is known of a plate. $1 bucket, $2 index, $3 now
update sighting
   set look_at = $3
 where bucket = $1 and seen_index = $2 and medium = 'plate' and state in ('received', 'held') and look_at > $3;
