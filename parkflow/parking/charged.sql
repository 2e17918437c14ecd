-- name: to_charge
-- Priced stays whose fee has not become a charge. $1 buckets, $2 limit
select s.bucket, s.stay_id, s.card_id, s.operator_id, s.lot_id, s.fee_minor, s.currency, s.exit_at, s.tariff_sha256
  from stay s
 where s.bucket = any ($1::smallint[]) and s.state = 'priced' and s.fee_minor > 0 and s.charged_at is null
 order by s.priced_at, s.stay_id
 limit $2;

-- name: note_charged
-- Only what still costs what it was read to cost; besides priced stays only waived ones have a fee. Said like this, because `priced`
-- would let the planner go through all that is to be charged for each row. $1 bucket[], $2 stay_id[], $3 now, $4 fee[]
update stay s
   set charged_at = $3
  from unnest($1::smallint[], $2::bigint[], $4::bigint[]) as k (bucket, stay_id, fee_minor)
 where s.bucket = k.bucket and s.stay_id = k.stay_id and s.charged_at is null and s.state <> 'waived' and s.fee_minor = k.fee_minor
returning s.stay_id;

-- name: to_adjust
-- Charged stays that were corrected after that and are settled again; what has no fee costs nothing. $1 owner, $2 buckets, $3 limit
select s.bucket, s.stay_id, s.card_id, s.operator_id, s.lot_id, s.version, s.corrections as correction, c.reason,
       case when s.state = 'priced' then s.fee_minor else 0 end as fee_minor, s.currency,
       coalesce(s.exit_at, s.entry_at) as occurred_at, s.tariff_sha256
  from stay s
  join bucket_lease l on l.bucket = s.bucket and l.owner = $1
  join stay_correction c on c.bucket = s.bucket and c.stay_id = s.stay_id and c.number = s.corrections
 where s.bucket = any ($2::smallint[]) and s.corrections > s.adjusted and s.charged_at is not null
   and s.state in ('priced', 'abandoned', 'waived', 'void', 'held')
 order by s.bucket, s.stay_id
 limit $3;

-- name: note_adjusted
-- $1 bucket, $2 stay, $3 correction, $4 version
update stay
   set adjusted = $3
 where bucket = $1 and stay_id = $2 and version = $4 and corrections = $3 and adjusted < $3
returning stay_id;
