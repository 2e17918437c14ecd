-- name: sightings
-- An operator's undecided sightings, newest first, those older than a place. $1 operator, $2 before at, $3 before sighting, $4 limit,
-- $5 state, and, each null for any, $6 reason, $7 lot, $8 direction, $9 medium, $10 from, $11 to (not in it)
select sighting_id, gate_id, lot_id, direction, medium, seen_sealed, lifted_by, scanned_at, received_at, state, reason
  from sighting
 where operator_id = $1 and (scanned_at, sighting_id) < ($2::timestamptz, $3::bigint) and state = $5 and state in ('held', 'noted')
   and ($6::text is null or reason = $6)
   and ($7::bigint is null or lot_id = $7)
   and ($8::text is null or direction = $8)
   and ($9::text is null or medium = $9)
   and ($10::timestamptz is null or scanned_at >= $10)
   and ($11::timestamptz is null or scanned_at < $11)
 order by scanned_at desc, sighting_id desc
 limit $4;

-- name: sighting
-- $1 bucket, $2 sighting, $3 operator
select sighting_id, gate_id, lot_id, direction, medium, seen_sealed, lifted_by, scanned_at, received_at, state, reason, card_id,
       decided_at, decided_by
  from sighting
 where bucket = $1 and sighting_id = $2 and operator_id = $3;

-- name: barriers_by_hand
-- How often each gate's barrier was raised by hand and each plate refused, by local day and by whom. $1 buckets of the gates, $2 gates,
-- $3 from, $4 to (not in it), $5 time zone
select e.gate_id, (e.scanned_at at time zone $5)::date as day, e.content ->> 'lifted_by' as lifted_by,
       count(*) filter (where e.content ->> 'manual' = 'true') as lifts,
       count(*) filter (where e.content ->> 'manual' = 'true' and e.medium = 'lift') as lifts_nothing_shown,
       count(*) filter (where e.content ->> 'manual' is distinct from 'true') as plates_refused
  from gate_event e
 where e.bucket = any ($1::smallint[]) and e.gate_id = any ($2::bigint[]) and e.scanned_at >= $3 and e.scanned_at < $4
   and (e.content ? 'manual' or (e.medium = 'plate' and e.gate_verdict <> 'accepted'))
   and (e.content ->> 'manual' = 'true' or (e.medium = 'plate' and e.gate_verdict <> 'accepted'))
 group by e.gate_id, (e.scanned_at at time zone $5)::date, e.content ->> 'lifted_by'
 order by day, e.gate_id, lifted_by;

-- name: gates
-- $1 operator
select gate_id, lot_id from gate where operator_id = $1;
