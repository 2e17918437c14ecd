-- name: insert_operator
-- Two operators may not have one name, so that people can name them. $1 id, $2 name, $3 time zone, $4 currency, $5 minor
-- exponent, $6 day turn, $7 deposit, $8 root public key, $9 sealed root secret, $10 now
insert into operator (operator_id, name, time_zone, currency, minor_exponent, day_turn, deposit_minor,
                      root_public_key, root_secret_sealed, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (name) do nothing
returning operator_id;

-- name: operator_row
-- $1 operator id
select operator_id, name, time_zone, currency, minor_exponent, day_turn, deposit_minor, policy, root_public_key
  from operator
 where operator_id = $1;

-- name: operator_ids
-- Every operator, in a fixed order.
select operator_id from operator order by operator_id;

-- name: root_secret
-- $1 operator id
select root_secret_sealed from operator where operator_id = $1;

-- name: insert_token
-- $1 SHA-256 of the token, $2 operator, $3 role, $4 name, $5 now
insert into operator_token (token_hash, operator_id, role, name, created_at)
values ($1, $2, $3, $4, $5)
on conflict (operator_id, name) do nothing
returning name;

-- name: token_row
-- $1 SHA-256 of the token
select operator_id, role, name from operator_token where token_hash = $1 and revoked_at is null;

-- name: revoke_token
-- Revoking twice changes nothing. $1 operator, $2 name, $3 now
update operator_token
   set revoked_at = coalesce(revoked_at, $3)
 where operator_id = $1 and name = $2
returning name;

-- name: insert_audit
-- $1 operator, $2 audit id, $3 at, $4 token name, $5 role, $6 action, $7 subject
insert into operator_audit (operator_id, audit_id, at, token_name, role, action, subject)
values ($1, $2, $3, $4, $5, $6, $7);
