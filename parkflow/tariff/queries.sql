-- name: insert_version
-- The next version of the operator's tariff of that name; the same text again is the version that exists. $1 operator, $2
-- sha256, $3 tariff id, $4 source, $5 currency, $6 time zone, $7 version at, $8 valid from, $9 valid to, $10 now
insert into tariff_version (operator_id, sha256, tariff_id, version, source, source_sha256, currency, time_zone, version_at, valid_from,
                            valid_to, created_at)
select $1, $2::bytea, $3, coalesce(max(version), 0) + 1, $4::text, sha256(convert_to($4::text, 'UTF8')), $5::text, $6::text, $7::text,
       coalesce($8::timestamptz, '-infinity'), coalesce($9::timestamptz, 'infinity'), $10::timestamptz
  from tariff_version
 where operator_id = $1 and tariff_id = $3
on conflict do nothing;

-- name: seal_version
-- From now on no part of the version can change. In the transaction that inserts it. $1 operator, $2 sha256
insert into tariff_version_seal (operator_id, sha256, tariff_id, version, source_sha256, currency, time_zone, version_at, valid_from,
                                 valid_to)
select operator_id, sha256, tariff_id, version, source_sha256, currency, time_zone, version_at, valid_from, valid_to
  from tariff_version
 where operator_id = $1 and sha256 = $2
on conflict (operator_id, sha256) do nothing;

-- name: version_row
-- $1 operator, $2 sha256
select tariff_id, version, sha256, currency, time_zone, version_at, nullif(valid_from, '-infinity') as valid_from,
       nullif(valid_to, 'infinity') as valid_to, created_at
  from tariff_version
 where operator_id = $1 and sha256 = $2;

-- name: assign
-- $1 lot, $2 valid from, $3 operator, $4 sha256
insert into lot_tariff (lot_id, valid_from, operator_id, sha256)
values ($1, $2, $3, $4)
on conflict (lot_id, valid_from) do nothing;

-- name: assigned
-- The lot's first assignment and the one at exactly $2. $1 lot
select min(valid_from) as first_from, max(sha256) filter (where valid_from = $2) as at_that_instant
  from lot_tariff
 where lot_id = $1;

-- name: assignments
-- All assignments of lots, each lot's in order of their beginning. $1 lots
select a.lot_id, a.valid_from, a.sha256, v.version_at, nullif(v.valid_from, '-infinity') as version_from,
       nullif(v.valid_to, 'infinity') as version_to
  from lot_tariff a
  join tariff_version v on v.operator_id = a.operator_id and v.sha256 = a.sha256
 where a.lot_id = any($1::bigint[])
 order by a.lot_id, a.valid_from;

-- name: lock_lot
-- Assignments of a lot are made and cancelled one after the other. $1 lot
select lot_id from lot where lot_id = $1 for no key update;

-- name: cancel
-- An assignment that has not begun. $1 lot, $2 valid from, $3 now
delete from lot_tariff where lot_id = $1 and valid_from = $2 and valid_from > $3 returning sha256;

-- name: versions
-- All versions of an operator's tariffs, each tariff's newest first. $1 operator
select tariff_id, version, sha256, currency, time_zone, version_at, nullif(valid_from, '-infinity') as valid_from,
       nullif(valid_to, 'infinity') as valid_to, created_at
  from tariff_version
 where operator_id = $1
 order by tariff_id, version desc;

-- name: timetable
-- The assignments of a lot with what they assign, in order of their beginning. $1 lot
select a.valid_from, v.tariff_id, v.version, v.sha256
  from lot_tariff a
  join tariff_version v on v.operator_id = a.operator_id and v.sha256 = a.sha256
 where a.lot_id = $1
 order by a.valid_from;

-- name: sources
-- $1 hashes; the text of a hash is the same for every operator
select distinct on (sha256) sha256, source from tariff_version where sha256 = any($1::bytea[]);
