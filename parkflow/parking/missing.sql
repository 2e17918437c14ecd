-- name: missing_exits
-- Stays whose driver was not told yet that no gate saw them leave: given up, or open while a later entry waits, or open for longer than is
-- waited for an exit. $1 owner, $2 buckets, $3 now, $4 hours where the lot's policy says nothing, $5 limit
select s.bucket, s.stay_id, s.card_id, s.entry_at, t.name as lot_name, t.time_zone
  from stay s
  join bucket_lease l on l.bucket = s.bucket and l.owner = $1
  join lot t on t.lot_id = s.lot_id
 where s.bucket = any ($2::smallint[]) and s.missing_told_at is null and 'missing_exit' = any (s.marks)
   and s.state not in ('waived', 'void')
union all
select s.bucket, s.stay_id, s.card_id, s.entry_at, t.name as lot_name, t.time_zone
  from stay s
  join bucket_lease l on l.bucket = s.bucket and l.owner = $1
  join lot t on t.lot_id = s.lot_id
 where s.bucket = any ($2::smallint[]) and s.missing_told_at is null and s.state = 'open'
   and (s.entry_at < $3::timestamptz - make_interval(hours => coalesce((t.policy ->> 'missing_exit_hours')::integer, $4))
        or exists (select from scan n
                    where n.bucket = s.bucket and n.card_id = s.card_id and n.lot_id = s.lot_id and n.state = 'held'
                      and n.reason = 'awaiting_exit' and n.scanned_at > s.entry_at))
 limit $5;

-- name: note_told
-- $1 owner, $2 now, then per stay $3 bucket, $4 stay
update stay s
   set missing_told_at = $2
  from unnest($3::smallint[], $4::bigint[]) as k (bucket, stay_id), bucket_lease l
 where s.bucket = k.bucket and s.stay_id = k.stay_id and s.missing_told_at is null
   and l.bucket = k.bucket and l.owner = $1
returning s.stay_id;
