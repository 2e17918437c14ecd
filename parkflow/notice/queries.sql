-- name: insert
-- $1 bucket[], $2 notice_id[], $3 kind, $4 recipient_sealed[], $5 body_sealed[], $6 now
insert into notice (bucket, notice_id, kind, recipient_sealed, body_sealed, created_at)
select n.bucket, n.notice_id, $3, n.recipient_sealed, n.body_sealed, $6
  from unnest($1::smallint[], $2::bigint[], $4::bytea[], $5::bytea[]) as n (bucket, notice_id, recipient_sealed, body_sealed);

-- name: unsent
-- Oldest first. $1 buckets, $2 limit
select bucket, notice_id, kind, recipient_sealed, body_sealed, created_at
  from notice
 where bucket = any ($1::smallint[]) and sent_at is null
 order by created_at, notice_id
 limit $2;

-- name: mark_sent
-- $1 bucket[], $2 notice_id[], $3 now
update notice n
   set sent_at = $3
  from unnest($1::smallint[], $2::bigint[]) as s (bucket, notice_id)
 where n.bucket = s.bucket and n.notice_id = s.notice_id and n.sent_at is null;

-- name: of_kind
-- Newest first. $1 bucket, $2 kind, $3 limit
select bucket, notice_id, kind, recipient_sealed, body_sealed, created_at
  from notice
 where bucket = $1 and kind = $2
 order by created_at desc, notice_id desc
 limit $3;
