-- The filter that an operator's bundles name by its hash, over the subjects that were denied when it was built. A gate that
-- was offline for a day still asks for the one that its bundle names, so older ones are kept as long as bundles live.
create table deny_filter (
    operator_id bigint not null references operator,
    sha256      bytea not null check (length(sha256) = 32),
    content     bytea not null,
    subjects    bigint not null check (subjects > 0),
    built_at    timestamptz not null,
    primary key (operator_id, sha256)
);
create index deny_filter_by_age on deny_filter (operator_id, built_at desc);
-- Compressed already; a filter is read and written whole.
alter table deny_filter alter column content set storage external;
