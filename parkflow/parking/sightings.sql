-- name: passages_of_stays
-- The ends of a card's stays in a lot that were seen by a gate, from $4 to $5 per group. $1 buckets, $2 cards, $3 lots
select s.bucket, s.card_id, s.lot_id, s.entry_at, case when s.exit_gate_id is not null then s.exit_at end as exit_at
  from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::timestamptz[])
       as k (bucket, card_id, lot_id, since, until)
  join stay s on s.bucket = k.bucket and s.card_id = k.card_id and s.lot_id = k.lot_id
 where s.entry_at between k.since and k.until;
