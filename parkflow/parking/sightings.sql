-- name: passages_of_cards
-- What is known of cards in lots from $4 to $5 per group, by what it was seen: the ends of stays that a gate saw, and scans that belong
-- to no stay yet. $1 buckets, $2 cards, $3 lots
with asked as (
    select * from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::timestamptz[])
        as k (bucket, card_id, lot_id, since, until)
), passage as (
    select s.bucket, s.card_id, s.lot_id, s.entry_gate_id as gate_id, s.entry_epoch as epoch, s.entry_seq as seq, s.entry_at as at,
           'entry' as direction
      from asked k
      join stay s on s.bucket = k.bucket and s.card_id = k.card_id and s.lot_id = k.lot_id
     where s.entry_at between k.since and k.until and s.entry_gate_id is not null and s.state <> 'void'
    union all
    select s.bucket, s.card_id, s.lot_id, s.exit_gate_id, s.exit_epoch, s.exit_seq, s.exit_at, 'exit'
      from asked k
      join stay s on s.bucket = k.bucket and s.card_id = k.card_id and s.lot_id = k.lot_id
     where s.entry_at between k.since and k.until and s.exit_gate_id is not null and s.state <> 'void'
    union all
    select s.bucket, s.card_id, s.lot_id, s.gate_id, s.epoch, s.seq,
           coalesce(case s.direction when 'entry' then s.latest_at else s.earliest_at end, s.scanned_at), s.direction
      from asked k
      join scan s on s.bucket = k.bucket and s.card_id = k.card_id and s.lot_id = k.lot_id
      join gate g on g.gate_id = s.gate_id and g.state <> 'quarantined'
     where s.state in ('received', 'held')
)
select p.bucket, p.card_id, p.lot_id, p.gate_id, p.epoch, p.seq, p.at, p.direction, coalesce(s.medium, 'code') as medium
  from passage p
  left join scan s on s.bucket = p.bucket and s.gate_id = p.gate_id and s.epoch = p.epoch and s.seq = p.seq;
