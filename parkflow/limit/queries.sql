-- name: take
-- Counts a use unless the window is full, in one statement, so that two racing callers cannot both take the last place.
-- $1 bucket, $2 key_hash, $3 now, $4 start of the window, $5 when the use is forgotten, $6 limit
insert into limit_use (bucket, key_hash, uses, expires_at)
values ($1, $2, array[$3::timestamptz], $5)
on conflict (bucket, key_hash) do update
   set uses = array(select u from unnest(limit_use.uses) as u where u > $4::timestamptz) || $3::timestamptz,
       expires_at = greatest(limit_use.expires_at, $5)
 where (select count(*) from unnest(limit_use.uses) as u where u > $4::timestamptz) < $6::integer
returning bucket;

-- name: sweep
-- $1 now
delete from limit_use where expires_at < $1;
