-- name: insert_device
-- $1 bucket, $2 device_id, $3 card_id, $4 public_key, $5 now
insert into device (bucket, device_id, card_id, public_key, enrolled_at)
values ($1, $2, $3, $4, $5)
on conflict (bucket, public_key) do nothing
returning device_id;

-- name: device_of_key
-- $1 bucket, $2 public_key
select device_id, card_id, public_key, revoked_at from device where bucket = $1 and public_key = $2;

-- name: device
-- $1 bucket, $2 device_id
select device_id, card_id, public_key, revoked_at from device where bucket = $1 and device_id = $2;

-- name: count_devices
-- $1 bucket, $2 card_id
select count(*) from device where bucket = $1 and card_id = $2 and revoked_at is null;

-- name: revoke_device
-- $1 bucket, $2 device_id, $3 card_id, $4 now
update device set revoked_at = $4 where bucket = $1 and device_id = $2 and card_id = $3 and revoked_at is null;

-- name: revoke_credentials_of_device
-- $1 bucket, $2 card_id, $3 device_id, $4 now
update credential
   set revoked_at = $4
 where bucket = $1 and card_id = $2 and device_id = $3 and revoked_at is null and expires_at > $4;

-- name: insert_credential
-- $1 bucket, $2 card_id, $3 serial, $4 device_id, $5 kid, $6 subject, $7 code_key, $8 code_secret_sealed, $9 credential,
-- $10 now, $11 not_before, $12 expires_at
insert into credential (bucket, card_id, serial, device_id, kid, subject, code_key, code_secret_sealed, credential,
                        issued_at, not_before, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);

-- name: credential_of_code_key
-- $1 bucket, $2 code_key
select c.*, k.not_after as key_ends_at
  from credential c
  join issuer_key k on k.kid = c.kid
 where c.bucket = $1 and c.code_key = $2;

-- name: online_credential
-- The server's own, still valid for a while, under a key that is too. $1 bucket, $2 card_id, $3 valid at least until
select c.*, k.not_after as key_ends_at
  from credential c
  join issuer_key k on k.kid = c.kid
 where c.bucket = $1 and c.card_id = $2 and c.device_id is null and c.revoked_at is null
   and c.expires_at > $3 and k.not_after > $3
 order by c.serial desc
 limit 1;

-- name: issued_places
-- Which of the credentials named by codes were really issued, with that code key. $1 buckets, $2 cards, $3 serials, $4 code keys
select k.place
  from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bytea[]) with ordinality
       as k (bucket, card_id, serial, code_key, place)
  join credential c on c.bucket = k.bucket and c.card_id = k.card_id and c.serial = k.serial and c.code_key = k.code_key;

-- name: denied_subjects
-- Credentials that are valid by their own word and may not be used: of cards that are not active, or revoked themselves.
-- One value, as there may be a million. $1 kids of the operator, $2 now
select coalesce(string_agg(c.subject, ''::bytea order by c.subject), ''::bytea)
  from credential c
  join card d on d.bucket = c.bucket and d.card_id = c.card_id
 where c.expires_at > $2 and c.kid = any ($1::bigint[]) and (d.state <> 'active' or c.revoked_at is not null);

-- name: honest_subjects
-- All others that are valid; wanted only beside a filter, which hits one in 256 of them. $1 kids of the operator, $2 now
select coalesce(string_agg(c.subject, ''::bytea order by c.subject), ''::bytea)
  from credential c
  join card d on d.bucket = c.bucket and d.card_id = c.card_id
 where c.expires_at > $2 and c.kid = any ($1::bigint[]) and d.state = 'active' and c.revoked_at is null;

-- name: is_honest
-- $1 bucket, $2 card_id, $3 serial, $4 now
select true
  from credential c
  join card d on d.bucket = c.bucket and d.card_id = c.card_id
 where c.bucket = $1 and c.card_id = $2 and c.serial = $3
   and c.expires_at > $4 and d.state = 'active' and c.revoked_at is null;

-- name: newest_filter
-- $1 operator_id
select sha256, content, subjects, built_at from deny_filter where operator_id = $1 order by built_at desc limit 1;

-- name: filter_content
-- $1 operator_id, $2 sha256
select content from deny_filter where operator_id = $1 and sha256 = $2;

-- name: insert_filter
-- The same subjects make the same filter. $1 operator_id, $2 sha256, $3 content, $4 subjects, $5 now
insert into deny_filter (operator_id, sha256, content, subjects, built_at)
values ($1, $2, $3, $4, $5)
on conflict (operator_id, sha256) do update set built_at = excluded.built_at;

-- name: delete_filters
-- $1 operator_id, $2 built before
delete from deny_filter where operator_id = $1 and built_at < $2;

-- name: insert_issuer_key
-- Two that make the operator's next key at once agree on its number; the second takes the first's.
-- $1 kid, $2 operator_id, $3 product, $4 public_key, $5 secret_sealed, $6 subject_key_sealed, $7 not_before, $8 not_after, $9 now
insert into issuer_key (kid, operator_id, product, public_key, secret_sealed, subject_key_sealed, not_before, not_after,
                        created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (kid) do nothing;

-- name: shorten_issuer_keys
-- A window only ever gets shorter, so that what ended stays ended. $1 operator_id, $2 kids, $3 their latest end
update issuer_key set not_after = $3 where operator_id = $1 and kid = any ($2::bigint[]) and not_after > $3;

-- name: issuer_keys
-- $1 operator_id
select * from issuer_key where operator_id = $1 order by not_before, kid;

-- name: subject_keys
-- $1 kids
select kid, subject_key_sealed from issuer_key where kid = any ($1::bigint[]);
