-- name: insert_gate
-- $1 id, $2 operator, $3 lot, $4 lane, $5 public key, $6 state, $7 now
insert into gate (gate_id, operator_id, lot_id, lane_id, public_key, state, created_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (public_key) do nothing
returning gate_id;

-- name: gate_by_key
-- $1 public key
select gate_id, operator_id, lot_id, lane_id, public_key, state from gate where public_key = $1;

-- name: gate_row
-- $1 gate
select gate_id, operator_id, lot_id, lane_id, public_key, state from gate where gate_id = $1;

-- name: begin_watermark
-- A gate saw nothing before it was registered. $1 bucket, $2 gate, $3 now
insert into gate_watermark (bucket, gate_id, epoch, acked_seq, complete_to, heartbeat_at)
values ($1, $2, 0, 0, $3, $3)
on conflict (bucket, gate_id, epoch) do nothing;

-- name: insert_events
-- The places, from 1, of rows that are not new. Gates resend until they are told; the key makes that harmless. The rows come sorted by
-- it, so that two transactions with common events wait for each other in one order; of two rows with one key the first counts.
-- Columns are texts (core.Judged.event_columns): array literals, texts joined by U+001F, hashes one after another. $1 received at, $2 how
-- many rows, then per event $3 bucket, $4 gate, $5 epoch, $6 seq, $7 content hash, $8 chain hash, $9 scanned at in unix milliseconds,
-- $10 direction, $11 medium, $12 content, $13 the gate's verdict, $14 ours
with inserted as (
    insert into gate_event (bucket, gate_id, epoch, seq, content_sha256, chain_sha256, scanned_at, direction, medium, content,
                            gate_verdict, verdict, received_at)
    select e.bucket, e.gate_id, e.epoch, e.seq, substr($7::bytea, 32 * e.place::integer - 31, 32),
           substr($8::bytea, 32 * e.place::integer - 31, 32), timestamptz 'epoch' + e.at_ms * interval '1 millisecond', e.direction,
           e.medium, e.content::jsonb, e.gate_verdict, e.verdict, $1
      from unnest($3::text::smallint[], $4::text::bigint[], $5::text::bigint[], $6::text::bigint[], $9::text::bigint[],
                  string_to_array($10, E'\x1f'), string_to_array($11, E'\x1f'), string_to_array($12, E'\x1f'),
                  string_to_array($13, E'\x1f'), string_to_array($14, E'\x1f'))
           with ordinality as e (bucket, gate_id, epoch, seq, at_ms, direction, medium, content, gate_verdict, verdict, place)
    on conflict (bucket, gate_id, epoch, seq) do nothing
    returning gate_id, epoch, seq
)
select k.place
  from (
       select n.*, row_number() over (partition by n.gate_id, n.epoch, n.seq order by n.place) as nth
         from unnest($4::text::bigint[], $5::text::bigint[], $6::text::bigint[]) with ordinality as n (gate_id, epoch, seq, place)
       ) as k
 where (select count(*) from inserted) < $2::integer
   and (k.nth > 1 or not exists (select from inserted i where i.gate_id = k.gate_id and i.epoch = k.epoch and i.seq = k.seq));

-- name: event_hashes
-- What is kept under these keys. $1 bucket, $2 gate, $3 epoch, $4 seq
select e.gate_id, e.epoch, e.seq, e.content_sha256, e.chain_sha256
  from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bigint[]) as k (bucket, gate_id, epoch, seq)
  join gate_event e on e.bucket = k.bucket and e.gate_id = k.gate_id and e.epoch = k.epoch and e.seq = k.seq;

-- name: insert_conflicts
-- $1 received at, then per event $2 bucket, $3 gate, $4 epoch, $5 seq, $6 content hash, $7 content
insert into gate_conflict (bucket, gate_id, epoch, seq, content_sha256, content, received_at)
select c.bucket, c.gate_id, c.epoch, c.seq, c.content_sha256, c.content::jsonb, $1
  from unnest($2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[], $7::text[])
       as c (bucket, gate_id, epoch, seq, content_sha256, content)
on conflict (bucket, gate_id, epoch, seq, content_sha256) do nothing;

-- name: insert_scans
-- The places, from 1, of rows that became no scan. The code's own id decides: of two passages with one code only the first becomes a
-- scan. The join lets in only what was issued: a stolen issuer key makes credentials that verify, and only this tells them from ours.
-- Columns are texts (core.Judged.passage_columns), as for events. $1 received at, $2 how many rows, then per passage $3 gate, $4 epoch,
-- $5 operator, $6 lot, $7 bucket, $8 seq, $9 card, $10 direction, $11 scanned at in unix milliseconds, $12 code id, $13 serial,
-- $14 code key; $15 earliest, $16 latest (as arrays; null where no clock is in doubt)
with inserted as (
    insert into scan (bucket, gate_id, epoch, seq, card_id, operator_id, lot_id, direction, scanned_at, earliest_at, latest_at, code_id,
                      serial, state, received_at)
    select s.bucket, s.gate_id, s.epoch, s.seq, s.card_id, s.operator_id, s.lot_id, s.direction,
           timestamptz 'epoch' + s.at_ms * interval '1 millisecond', timestamptz 'epoch' + s.earliest_ms * interval '1 millisecond',
           timestamptz 'epoch' + s.latest_ms * interval '1 millisecond', s.code_id, s.serial, 'received', $1
      from (
           select p.*, substr($12::bytea, 16 * p.place::integer - 15, 16) as code_id
             from unnest($3::text::bigint[], $4::text::bigint[], $5::text::bigint[], $6::text::bigint[], $7::text::smallint[],
                         $8::text::bigint[], $9::text::bigint[], string_to_array($10, E'\x1f'), $11::text::bigint[],
                         $13::text::bigint[], $15::bigint[], $16::bigint[])
                  with ordinality as p (gate_id, epoch, operator_id, lot_id, bucket, seq, card_id, direction, at_ms, serial,
                                        earliest_ms, latest_ms, place)
           ) as s
      join credential c on c.bucket = s.bucket and c.card_id = s.card_id and c.serial = s.serial
                       and c.code_key = substr($14::bytea, 32 * s.place::integer - 31, 32)
     -- In one order for every writer, so that two never wait for each other; of one code the first passage counts.
     order by s.bucket, s.code_id, s.at_ms, s.gate_id, s.epoch, s.seq
    on conflict (bucket, code_id) do nothing
    returning gate_id, epoch, seq
)
select k.place
  from unnest($3::text::bigint[], $4::text::bigint[], $8::text::bigint[]) with ordinality as k (gate_id, epoch, seq, place)
 where (select count(*) from inserted) < $2::integer
   and not exists (select from inserted i where i.gate_id = k.gate_id and i.epoch = k.epoch and i.seq = k.seq);

-- name: insert_replays
-- $1 received at, then per scan $2 bucket, $3 gate, $4 epoch, $5 seq, $6 card, $7 lot, $8 code id, $9 scanned at in unix milliseconds
insert into scan_replay (bucket, gate_id, epoch, seq, card_id, lot_id, code_id, scanned_at, received_at)
select r.bucket, r.gate_id, r.epoch, r.seq, r.card_id, r.lot_id, r.code_id, timestamptz 'epoch' + r.at_ms * interval '1 millisecond', $1
  from unnest($2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bytea[], $9::bigint[])
       as r (bucket, gate_id, epoch, seq, card_id, lot_id, code_id, at_ms)
on conflict (bucket, gate_id, epoch, seq) do nothing;

-- name: mark_events
-- Only the insert of the scans shows which codes were seen before or never issued. $1 bucket, $2 gate, $3 epoch, $4 seq, $5 verdict
update gate_event e
   set verdict = m.verdict
  from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[]) as m (bucket, gate_id, epoch, seq, verdict)
 where e.bucket = m.bucket and e.gate_id = m.gate_id and e.epoch = m.epoch and e.seq = m.seq;

-- name: contiguous_seq
-- The last seq before the first gap after $4, and its chain hash, looking at most $5 events far; no row where the next is missing.
-- $1 bucket, $2 gate, $3 epoch
select seq, chain_sha256
  from (
       select seq, chain_sha256, row_number() over (order by seq) as place
         from gate_event
        where bucket = $1 and gate_id = $2 and epoch = $3 and seq > $4::bigint
        order by seq
        limit $5
       ) as later
 where seq - place = $4::bigint
 order by seq desc
 limit 1;

-- name: watermarks
-- $1 bucket, $2 gate, $3 epoch
select w.gate_id, w.epoch, w.acked_seq, w.acked_sha256, w.last_seq
  from unnest($1::smallint[], $2::bigint[], $3::bigint[]) as k (bucket, gate_id, epoch)
  join gate_watermark w on w.bucket = k.bucket and w.gate_id = k.gate_id and w.epoch = k.epoch;

-- name: raise_watermarks
-- What is acknowledged never goes back. A new epoch is complete to where the gate was. $1 now, then per epoch of a gate $2 bucket,
-- $3 gate, $4 epoch, $5 acked seq, $6 its chain hash, $7 last seq known
insert into gate_watermark (bucket, gate_id, epoch, acked_seq, acked_sha256, last_seq, complete_to, heartbeat_at)
select n.bucket, n.gate_id, n.epoch, n.acked_seq, n.acked_sha256, n.last_seq,
       (select coalesce(max(w.complete_to), 'epoch') from gate_watermark w where w.bucket = n.bucket and w.gate_id = n.gate_id), $1
  from unnest($2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[], $7::bigint[])
       as n (bucket, gate_id, epoch, acked_seq, acked_sha256, last_seq)
 order by n.bucket, n.gate_id, n.epoch
on conflict (bucket, gate_id, epoch) do update
   set acked_sha256 = case when excluded.acked_seq > gate_watermark.acked_seq then excluded.acked_sha256
                           else gate_watermark.acked_sha256 end,
       acked_seq = greatest(gate_watermark.acked_seq, excluded.acked_seq),
       last_seq = greatest(gate_watermark.last_seq, excluded.last_seq),
       heartbeat_at = greatest(gate_watermark.heartbeat_at, excluded.heartbeat_at)
returning gate_id, epoch, acked_seq, acked_sha256, last_seq;

-- name: beat
-- Complete only when all that the gate ever wrote is here. $1 bucket, $2 gate, $3 epoch, $4 complete to, $5 clock offset in
-- milliseconds, $6 bundle version
update gate_watermark
   set complete_to = case when last_seq <= acked_seq then greatest(complete_to, $4) else complete_to end,
       clock_offset_ms = $5,
       bundle_version = $6
 where bucket = $1 and gate_id = $2 and epoch = $3
returning acked_seq, acked_sha256, last_seq;

-- name: gates_behind
-- Gates that may still hold scans of before $2: the newest epoch counts, and older ones that never came through. $1 operator
select gate_id
  from (
       select w.gate_id, w.complete_to, w.last_seq > w.acked_seq as missing,
              w.epoch = max(w.epoch) over (partition by w.bucket, w.gate_id) as newest
         from gate_watermark w
         join gate g on g.gate_id = w.gate_id
        where g.operator_id = $1 and g.state <> 'retired'
       ) as mark
 where newest or missing
 group by gate_id
having min(complete_to) < $2
 order by gate_id;

-- name: uploads_complete_to
-- Up to which instant every gate in use has uploaded all, and every one that can see an exit. $1 lots
select lot_id, min(complete_to) as all_to, min(complete_to) filter (where sees_exits) as exits_to
  from (
       select g.lot_id, w.complete_to, w.last_seq > w.acked_seq as missing, lane.direction <> 'entry' as sees_exits,
              w.epoch = max(w.epoch) over (partition by w.bucket, w.gate_id) as newest
         from gate_watermark w
         join gate g on g.gate_id = w.gate_id
         join lane on lane.lane_id = g.lane_id
        where g.lot_id = any($1::bigint[]) and g.state <> 'retired'
       ) as mark
 where newest or missing
 group by lot_id;

-- name: newest_bundle
-- $1 operator
select version, content_sha256, payload, signature, issued_at, expires_at
  from bundle
 where operator_id = $1
 order by version desc
 limit 1;

-- name: newest_versions
-- $1 operators
select operator_id, max(version) as version from bundle where operator_id = any($1::bigint[]) group by operator_id;

-- name: insert_bundle
-- Of two that build the same version one wins. $1 operator, $2 version, $3 content hash, $4 payload, $5 signature, $6 issued
-- at, $7 expires at
insert into bundle (operator_id, version, content_sha256, payload, signature, issued_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (operator_id, version) do nothing
returning version;

-- name: groups_to_apply
-- Cards in lots with scans that wait to be applied, bucket by bucket the oldest first; a quarantined gate's wait for a person. Said like
-- this, because a plain join lets the planner read and sort all that waits, however much that is, for each pass. $1 owner of the leases,
-- $2 buckets, $3 how many scans at most
select distinct bucket, card_id, lot_id
  from (
       select l.bucket, s.card_id, s.lot_id
         from (select bucket from bucket_lease where owner = $1 and bucket = any($2::smallint[]) order by bucket) as l
        cross join lateral (
              select w.card_id, w.lot_id
                from scan w
                join gate g on g.gate_id = w.gate_id and g.state <> 'quarantined'
               where w.bucket = l.bucket and w.state = 'received'
               order by w.received_at
               limit $3
              ) as s
        limit $3
       ) as oldest;

-- name: groups_awaiting_exit
-- Cards in lots with entries that wait for the exit before them, and since when. $1 owner, $2 buckets
select s.bucket, s.card_id, s.lot_id, min(coalesce(s.latest_at, s.scanned_at)) as since
  from scan s
  join bucket_lease l on l.bucket = s.bucket and l.owner = $1
 where s.bucket = any($2::smallint[]) and s.state = 'held' and s.reason = 'awaiting_exit'
 group by s.bucket, s.card_id, s.lot_id;

-- name: scans_of_groups
-- All unpaired scans of the groups; those of quarantined gates wait outside. $1 buckets, $2 cards, $3 lots
select s.bucket, s.gate_id, s.epoch, s.seq, s.card_id, s.lot_id, s.direction, s.scanned_at, s.state, s.reason, s.medium, s.earliest_at,
       s.latest_at
  from unnest($1::smallint[], $2::bigint[], $3::bigint[]) as k (bucket, card_id, lot_id)
  join scan s on s.bucket = k.bucket and s.card_id = k.card_id and s.lot_id = k.lot_id
  join gate g on g.gate_id = s.gate_id and g.state <> 'quarantined'
 where s.state in ('received', 'held');

-- name: scans_set_aside
-- Scans that repeated another one or found no entry, and may count after all among scans from $4 on (per group); and exits that found no
-- entry just before, which a scan may repeat. $1 buckets, $2 cards, $3 lots
select s.bucket, s.gate_id, s.epoch, s.seq, s.card_id, s.lot_id, s.direction, s.scanned_at, s.state, s.reason, s.medium, s.earliest_at,
       s.latest_at
  from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::timestamptz[]) as k (bucket, card_id, lot_id, since)
  join scan s on s.bucket = k.bucket and s.card_id = k.card_id and s.lot_id = k.lot_id
 where s.state = 'rejected' and s.reason in ('repeated', 'missing_entry', 'rejected_by_operator')
   and coalesce(case s.direction when 'entry' then s.latest_at else s.earliest_at end, s.scanned_at)
       >= k.since - case s.reason when 'repeated' then interval '0' else interval '60 seconds' end;

-- name: apply_scans
-- A scan that had another place leaves it. $1 owner, then per scan $2 bucket, $3 gate, $4 epoch, $5 seq, $6 stay
update scan s
   set state = 'applied', reason = null, stay_id = a.stay_id
  from unnest($2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
       as a (bucket, gate_id, epoch, seq, stay_id),
       bucket_lease l
 where s.bucket = a.bucket and s.gate_id = a.gate_id and s.epoch = a.epoch and s.seq = a.seq
   and (s.state <> 'applied' or s.stay_id <> a.stay_id)
   and l.bucket = a.bucket and l.owner = $1;

-- name: hold_scans
-- A held scan that now waits for something else gets the new reason. $1 owner, then per scan $2 bucket, $3 gate, $4 epoch,
-- $5 seq, $6 reason
update scan s
   set state = 'held', reason = h.reason, stay_id = null
  from unnest($2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[])
       as h (bucket, gate_id, epoch, seq, reason),
       bucket_lease l
 where s.bucket = h.bucket and s.gate_id = h.gate_id and s.epoch = h.epoch and s.seq = h.seq
   and (s.state <> 'held' or s.reason <> h.reason)
   and l.bucket = h.bucket and l.owner = $1;

-- name: reject_scans
-- $1 owner, then per scan $2 bucket, $3 gate, $4 epoch, $5 seq, $6 reason
update scan s
   set state = 'rejected', reason = r.reason, stay_id = null
  from unnest($2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[])
       as r (bucket, gate_id, epoch, seq, reason),
       bucket_lease l
 where s.bucket = r.bucket and s.gate_id = r.gate_id and s.epoch = r.epoch and s.seq = r.seq
   and (s.state <> 'rejected' or s.reason <> r.reason)
   and l.bucket = r.bucket and l.owner = $1;

-- name: lots_with_lonely_exits
-- $1 buckets
select distinct s.lot_id from scan s where s.bucket = any ($1::smallint[]) and s.state = 'held' and s.reason = 'awaiting_entry';

-- name: groups_with_lonely_exits
-- Cards in lots with exits whose entry is waited for no longer. $1 owner, $2 buckets, then per lot $3 lot, $4 scanned before
select distinct s.bucket, s.card_id, s.lot_id
  from scan s
  join bucket_lease l on l.bucket = s.bucket and l.owner = $1
  join unnest($3::bigint[], $4::timestamptz[]) as p (lot_id, scanned_before) on p.lot_id = s.lot_id
 where s.bucket = any ($2::smallint[]) and s.state = 'held' and s.reason = 'awaiting_entry'
   and coalesce(s.earliest_at, s.scanned_at) < p.scanned_before;

-- name: press
-- Of several processes the word that holds longest counts. $1 until, in real time
update ingest_pressure set pressed_until = $1 where pressed_until < $1;

-- name: is_pressed
-- $1 real time
select pressed_until > $1 from ingest_pressure;
