-- name: to_charge
-- Priced stays whose fee has not become a charge. $1 buckets, $2 limit
select s.bucket, s.stay_id, s.card_id, s.operator_id, s.lot_id, s.fee_minor, s.currency, s.exit_at, s.tariff_sha256
  from stay s
 where s.bucket = any ($1::smallint[]) and s.state = 'priced' and s.fee_minor > 0 and s.charged_at is null
 order by s.priced_at, s.stay_id
 limit $2;

-- name: note_charged
-- $1 bucket[], $2 stay_id[], $3 now
update stay s
   set charged_at = $3
  from unnest($1::smallint[], $2::bigint[]) as k (bucket, stay_id)
 where s.bucket = k.bucket and s.stay_id = k.stay_id and s.charged_at is null;
