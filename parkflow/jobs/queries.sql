-- name: acquire_leases
-- Takes those of the wanted buckets whose time has run out; each new holding raises the epoch. Of two workers that ask at
-- once the second waits for the first's row and then finds it taken.
-- $1 owner, $2 bucket[], $3 wall time now, $4 expires at
update bucket_lease
   set owner = $1, epoch = epoch + 1, expires_at = $4
 where bucket = any ($2::smallint[]) and expires_at <= $3
returning bucket, epoch;

-- name: renew_leases
-- Prolongs what is still ours under the epoch we know; one that ran out but was not taken by another stays ours.
-- $1 owner, $2 bucket[], $3 epoch[], $4 expires at
update bucket_lease l
   set expires_at = $4
  from unnest($2::smallint[], $3::bigint[]) as held (bucket, epoch)
 where l.bucket = held.bucket and l.epoch = held.epoch and l.owner = $1
returning l.bucket, l.epoch;

-- name: release_leases
-- Ends what is still ours now, so that another need not wait for the end of its time.
-- $1 owner, $2 bucket[], $3 wall time now
update bucket_lease
   set expires_at = $3
 where bucket = any ($2::smallint[]) and owner = $1 and expires_at > $3;

-- name: count_live_owners
-- How many workers hold something, for the share of each. $1 wall time now
select count(distinct owner) from bucket_lease where expires_at > $1;
