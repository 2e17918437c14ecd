-- name: insert
-- $1 bucket, $2 agreement_id, $3 account_id, $4 channel, $5 external_no, $6 state, $7 now, $8 expires_at
insert into agreement (bucket, agreement_id, account_id, channel, external_no, state, sign_url, created_at, expires_at)
values ($1, $2, $3, $4, $5, $6, '', $7, $8);

-- name: set_sign_url
-- $1 bucket, $2 agreement_id, $3 sign_url
update agreement set sign_url = $3 where bucket = $1 and agreement_id = $2;

-- name: pending
-- An agreement that the driver has begun and not confirmed is taken up again. $1 bucket, $2 account_id, $3 channel, $4 now
select *
  from agreement
 where bucket = $1 and account_id = $2 and channel = $3 and state = 'pending' and expires_at > $4
 order by created_at desc
 limit 1;

-- name: one
-- $1 bucket, $2 agreement_id
select * from agreement where bucket = $1 and agreement_id = $2;

-- name: of_account
-- $1 bucket, $2 account_id
select * from agreement where bucket = $1 and account_id = $2 order by created_at, agreement_id;

-- name: many
-- $1 bucket[], $2 agreement_id[]
select a.*
  from agreement a
  join unnest($1::smallint[], $2::bigint[]) as k (bucket, agreement_id)
    on a.bucket = k.bucket and a.agreement_id = k.agreement_id;
