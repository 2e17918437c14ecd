-- name: insert_stays
-- Those that are over and whose fee is known get it at once. $1 owner, $2 now, then per stay $3 bucket, $4 stay, $5 card, $6 operator,
-- $7 lot, $8 vehicle class, $9 entry gate, $10 epoch, $11 seq, $12 at, $13 exit gate, $14 epoch, $15 seq, $16 at, $17 state, $18 reason,
-- $19 currency, $20 marks joined by commas, and where it has its price $21 tariff, $22 tzdata version, $23 fee, $24 the fee's lines as
-- JSON text
insert into stay (bucket, stay_id, card_id, operator_id, lot_id, vehicle_class, entry_gate_id, entry_epoch, entry_seq,
                  entry_at, exit_gate_id, exit_epoch, exit_seq, exit_at, state, reason, currency, created_at, marks, tariff_sha256,
                  tzdata_version, fee_minor, fee_lines, priced_at)
select n.bucket, n.stay_id, n.card_id, n.operator_id, n.lot_id, n.vehicle_class, n.entry_gate_id, n.entry_epoch, n.entry_seq,
       n.entry_at, n.exit_gate_id, n.exit_epoch, n.exit_seq, n.exit_at, n.state, n.reason, n.currency, $2::timestamptz,
       string_to_array(n.marks, ','), n.sha256, n.tzdata_version, n.fee_minor, n.fee_lines::jsonb,
       case when n.state = 'priced' then $2::timestamptz end
  from bucket_lease l,
       unnest($3::smallint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[], $9::bigint[], $10::bigint[],
              $11::bigint[], $12::timestamptz[], $13::bigint[], $14::bigint[], $15::bigint[], $16::timestamptz[], $17::text[],
              $18::text[], $19::text[], $20::text[], $21::bytea[], $22::text[], $23::bigint[], $24::text[])
       as n (bucket, stay_id, card_id, operator_id, lot_id, vehicle_class, entry_gate_id, entry_epoch, entry_seq, entry_at,
             exit_gate_id, exit_epoch, exit_seq, exit_at, state, reason, currency, marks, sha256, tzdata_version, fee_minor, fee_lines)
 where l.bucket = n.bucket and l.owner = $1
on conflict (bucket, stay_id) do nothing;

-- name: close_stays
-- Those whose fee is known get it at once. $1 owner, $2 now, then per stay $3 bucket, $4 stay, $5 exit gate, $6 epoch, $7 seq, $8 at,
-- $9 marks joined by commas, and where it has its price $10 tariff, $11 tzdata version, $12 fee, $13 the fee's lines as JSON text
update stay s
   set state = case when e.sha256 is null then 'closed' else 'priced' end, exit_gate_id = e.gate_id, exit_epoch = e.epoch,
       exit_seq = e.seq, exit_at = e.at, marks = string_to_array(e.marks, ','), version = s.version + 1, tariff_sha256 = e.sha256,
       tzdata_version = e.tzdata_version, fee_minor = e.fee_minor, fee_lines = e.fee_lines::jsonb,
       priced_at = case when e.sha256 is not null then $2::timestamptz end
  from unnest($3::smallint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::timestamptz[], $9::text[], $10::bytea[],
              $11::text[], $12::bigint[], $13::text[])
       as e (bucket, stay_id, gate_id, epoch, seq, at, marks, sha256, tzdata_version, fee_minor, fee_lines),
       bucket_lease l
 where s.bucket = e.bucket and s.stay_id = e.stay_id and s.state = 'open'
   and l.bucket = e.bucket and l.owner = $1;

-- name: closed_stays
-- A page of stays to be priced, each card's in order of exit, then id. $1 owner, $2 buckets, after $3 bucket, $4 card, $5 exit, $6 stay,
-- $7 how many at most
select s.bucket, s.stay_id, s.card_id, s.operator_id, s.lot_id, s.vehicle_class, s.entry_at, s.exit_at
  from stay s
  join bucket_lease l on l.bucket = s.bucket and l.owner = $1
 where s.bucket = any($2::smallint[]) and s.state = 'closed'
   and (s.bucket, s.card_id, s.exit_at, s.stay_id) > ($3::smallint, $4::bigint, $5::timestamptz, $6::bigint)
 order by s.bucket, s.card_id, s.exit_at, s.stay_id
 limit $7;

-- name: stay_to_quote
-- $1 bucket, $2 stay, $3 account or null for any, $4 operator or null for any
select s.bucket, s.stay_id, s.card_id, s.operator_id, s.lot_id, s.vehicle_class, s.entry_at, s.state
  from stay s
  join card k on k.bucket = s.bucket and k.card_id = s.card_id
 where s.bucket = $1 and s.stay_id = $2
   and ($3::bigint is null or k.account_id = $3)
   and ($4::bigint is null or s.operator_id = $4);

-- name: closed_of_card
-- Stays of a card that will be settled before one that ends later. $1 bucket, $2 card, $3 ended until
select s.bucket, s.stay_id, s.card_id, s.operator_id, s.lot_id, s.vehicle_class, s.entry_at, s.exit_at
  from stay s
 where s.bucket = $1 and s.card_id = $2 and s.state = 'closed' and s.exit_at <= $3
 order by s.exit_at, s.stay_id;

-- name: histories
-- What the stays of these cards have used. $1 buckets, $2 cards
select h.bucket, h.card_id, h.version, h.used, h.chains, h.window_s
  from unnest($1::smallint[], $2::bigint[]) as k (bucket, card_id)
  join account_history h on h.bucket = k.bucket and h.card_id = k.card_id;

-- name: write_histories
-- The next version of each history, unless somebody else has written it. $1 owner, $2 now, then per card $3 bucket, $4 card, $5
-- version, $6 used, $7 chains, $8 window
insert into account_history as h (bucket, card_id, version, used, chains, window_s, updated_at)
select n.bucket, n.card_id, n.version, n.used, n.chains, n.window_s, $2
  from unnest($3::smallint[], $4::bigint[], $5::bigint[], $6::jsonb[], $7::jsonb[], $8::bigint[])
       as n (bucket, card_id, version, used, chains, window_s)
  join bucket_lease l on l.bucket = n.bucket and l.owner = $1
 -- In one order for every writer, so that two never wait for each other.
 order by n.bucket, n.card_id
on conflict (bucket, card_id) do update
   set version = excluded.version, used = excluded.used, chains = excluded.chains, window_s = excluded.window_s,
       updated_at = excluded.updated_at
 where h.version = excluded.version - 1
returning bucket, card_id;

-- name: price_stays
-- $1 owner, $2 now, then per stay $3 bucket, $4 stay, $5 tariff, $6 tzdata version, $7 fee, $8 the fee's lines as JSON text
update stay s
   set state = 'priced', tariff_sha256 = p.sha256, tzdata_version = p.tzdata_version, fee_minor = p.fee_minor,
       fee_lines = p.fee_lines::jsonb, priced_at = $2
  from unnest($3::smallint[], $4::bigint[], $5::bytea[], $6::text[], $7::bigint[], $8::text[])
       as p (bucket, stay_id, sha256, tzdata_version, fee_minor, fee_lines),
       bucket_lease l
 where s.bucket = p.bucket and s.stay_id = p.stay_id and s.state = 'closed'
   and l.bucket = p.bucket and l.owner = $1;
