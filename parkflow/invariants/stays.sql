-- name: priced_stays
-- A page of priced stays in order of their keys, with what their fee depends on. $1 after bucket, $2 after stay_id, $3 limit
select bucket, stay_id, tariff_sha256, entry_at, exit_at, vehicle_class, fee_minor, fee_lines -> 'history' as history
  from stay
 where state = 'priced' and (bucket, stay_id) > ($1::smallint, $2::bigint)
 order by bucket, stay_id
 limit $3;
