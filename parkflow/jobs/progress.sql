-- name: record_progress
-- Never backwards: a worker that was paused must not hide what it had already done. $1 owner, $2 caught_up_to, $3 seen_at
insert into worker_progress as p (owner, caught_up_to, seen_at) values ($1, $2, $3)
on conflict (owner) do update
   set caught_up_to = greatest(p.caught_up_to, excluded.caught_up_to), seen_at = excluded.seen_at;

-- name: forget_progress
-- Workers that are gone. $1 owner, $2 seen before
delete from worker_progress where owner = $1 or seen_at < $2;

-- name: least_progress
-- How far the slowest of the workers that hold a bucket has come; null when one of them has not finished a pass yet, or when
-- nobody works. $1 wall time, $2 owner who does not count (empty: all count)
select case when bool_and(p.caught_up_to is not null) then min(p.caught_up_to) end
  from (select distinct owner from bucket_lease where owner <> '' and owner <> $2 and expires_at > $1) as l
  left join worker_progress p on p.owner = l.owner;

-- name: others_work
-- Whether any other worker holds a bucket. $1 wall time, $2 owner
select exists (select from bucket_lease where owner <> '' and owner <> $2 and expires_at > $1);
