-- name: insert_code
-- $1 bucket, $2 phone_index, $3 now, $4 code_hash, $5 expires_at
insert into one_time_code (bucket, phone_index, issued_at, code_hash, expires_at)
values ($1, $2, $3, $4, $5)
on conflict (bucket, phone_index, issued_at) do update
   set code_hash = excluded.code_hash, expires_at = excluded.expires_at, tries = 0, used_at = null;

-- name: newest_code
-- Only the newest code of a phone can be used. $1 bucket, $2 phone_index
select issued_at
  from one_time_code
 where bucket = $1 and phone_index = $2
 order by issued_at desc
 limit 1;

-- name: count_try
-- Counted before the code is compared, so that racing guesses cannot have more tries than there are.
-- $1 bucket, $2 phone_index, $3 issued_at, $4 now, $5 tries at most
update one_time_code
   set tries = tries + 1
 where bucket = $1 and phone_index = $2 and issued_at = $3
   and used_at is null and expires_at > $4 and tries < $5
returning code_hash;

-- name: use_code
-- $1 bucket, $2 phone_index, $3 issued_at, $4 now
update one_time_code
   set used_at = $4
 where bucket = $1 and phone_index = $2 and issued_at = $3 and used_at is null;

-- name: claim_phone
-- The directory makes a phone unique over all buckets. $1 bucket of the phone, $2 phone_index, $3 home_bucket, $4 account_id
insert into account_directory (bucket, phone_index, home_bucket, account_id)
values ($1, $2, $3, $4)
on conflict (bucket, phone_index) do nothing
returning account_id;

-- name: account_of_phone
-- $1 bucket of the phone, $2 phone_index
select account_id from account_directory where bucket = $1 and phone_index = $2;

-- name: insert_account
-- $1 bucket, $2 account_id, $3 phone_sealed, $4 now
insert into account (bucket, account_id, phone_sealed, created_at) values ($1, $2, $3, $4);

-- name: phones
-- $1 bucket[], $2 account_id[]
select a.account_id, a.phone_sealed
  from account a
  join unnest($1::smallint[], $2::bigint[]) as k (bucket, account_id) on a.bucket = k.bucket and a.account_id = k.account_id;

-- name: insert_session
-- $1 bucket, $2 token_hash, $3 account_id, $4 now, $5 expires_at
insert into account_session (bucket, token_hash, account_id, created_at, expires_at) values ($1, $2, $3, $4, $5);

-- name: account_of_session
-- $1 bucket, $2 token_hash, $3 now
select account_id from account_session where bucket = $1 and token_hash = $2 and expires_at > $3;

-- name: end_session
-- $1 bucket, $2 token_hash, $3 now
update account_session set expires_at = $3 where bucket = $1 and token_hash = $2 and expires_at > $3;

-- name: insert_vehicle
-- $1 bucket, $2 account_id, $3 plate_index, $4 plate_sealed, $5 vehicle_class, $6 now
insert into vehicle (bucket, account_id, plate_index, plate_sealed, vehicle_class, created_at)
values ($1, $2, $3, $4, $5, $6)
on conflict (bucket, account_id, plate_index) do update set vehicle_class = excluded.vehicle_class;

-- name: vehicles
-- $1 bucket, $2 account_id
select plate_sealed, vehicle_class
  from vehicle
 where bucket = $1 and account_id = $2
 order by created_at, plate_index;

-- name: enter_plate
-- From a plate to accounts, over all buckets. $1 bucket of the plate, $2 plate_index, $3 home_bucket, $4 account_id
insert into plate_directory (bucket, plate_index, home_bucket, account_id)
values ($1, $2, $3, $4)
on conflict (bucket, plate_index, account_id) do nothing;

-- name: accounts_of_plates
-- $1 bucket[] of the plates, $2 plate_index[]
select d.bucket, d.plate_index, d.account_id
  from unnest($1::smallint[], $2::bytea[]) as k (bucket, plate_index)
  join plate_directory d on d.bucket = k.bucket and d.plate_index = k.plate_index
 order by d.bucket, d.plate_index, d.account_id;
