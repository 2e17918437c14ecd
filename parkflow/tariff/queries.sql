-- name: insert_version
-- The next version of the operator's tariff of that name; the same text again is the version that exists. $1 operator, $2
-- sha256, $3 tariff id, $4 source, $5 currency, $6 time zone, $7 now
insert into tariff_version (operator_id, sha256, tariff_id, version, source, currency, time_zone, created_at)
select $1, $2::bytea, $3, coalesce(max(version), 0) + 1, $4::text, $5::text, $6::text, $7::timestamptz
  from tariff_version
 where operator_id = $1 and tariff_id = $3
on conflict do nothing;

-- name: version_row
-- $1 operator, $2 sha256
select tariff_id, version, sha256, currency, time_zone
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

-- name: in_force
-- Which version each lot had at an instant, in the order given. $1 lots, $2 instants
select found.sha256
  from unnest($1::bigint[], $2::timestamptz[]) with ordinality as asked (lot_id, at, place)
  left join lateral (
       select lot_tariff.sha256
         from lot_tariff
        where lot_tariff.lot_id = asked.lot_id and lot_tariff.valid_from <= asked.at
        order by lot_tariff.valid_from desc
        limit 1
       ) as found on true
 order by asked.place;

-- name: sources
-- $1 hashes; the text of a hash is the same for every operator
select distinct on (sha256) sha256, source from tariff_version where sha256 = any($1::bytea[]);
