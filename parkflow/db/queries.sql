-- name: record_state_changes
-- The history of the low-volume machines. Two changes of one row at one business instant would collide, and their order
-- would be lost, so a later one is put at least a microsecond after the one before it.
-- $1 machine, $2 at, $3 event, $4 reason, $5 actor, $6 bucket[], $7 subject_id[], $8 from_state[], $9 to_state[]
insert into state_change (bucket, machine, subject_id, at, event, from_state, to_state, reason, actor)
select s.bucket, $1, s.subject_id, greatest($2::timestamptz, before.at + interval '1 microsecond'), $3,
       s.from_state, s.to_state, $4, $5
  from unnest($6::smallint[], $7::bigint[], $8::text[], $9::text[]) as s (bucket, subject_id, from_state, to_state)
  left join (
        select bucket, subject_id, max(at) as at
          from state_change
         where machine = $1 and bucket = any ($6::smallint[]) and subject_id = any ($7::bigint[])
         group by bucket, subject_id
       ) as before on before.bucket = s.bucket and before.subject_id = s.subject_id;

-- name: create_migration_table
create table if not exists schema_migration (
    version    integer primary key,
    name       text not null,
    sha256     text not null,
    applied_at timestamptz not null default now()
);

-- name: lock_migrations
-- Two processes that start together must not both apply a file. The number is arbitrary and ours alone.
select pg_advisory_lock(7305808869232652);

-- name: unlock_migrations
select pg_advisory_unlock(7305808869232652);

-- name: applied_migrations
select version, name, sha256 from schema_migration order by version;

-- name: record_migration
-- $1 version, $2 name, $3 sha256
insert into schema_migration (version, name, sha256) values ($1, $2, $3);
