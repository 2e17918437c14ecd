-- What the stays of a card have used up under tariffs that count over several stays, and versions that never change.
set local lock_timeout = '5s';

-- parking -------------------------------------------------------------------------------------------------------------
-- One row per card, which is one driver at one operator: pools of caps may span all of the operator's lots and tariffs, so a finer
-- row would have to be kept in step with others. `used` is the account's history as the core writes it, without the chain of
-- re-entries; `chains` has that chain per lot, for leaving one lot and entering another is no re-entry. `version` is the fence:
-- whoever prices stays of the card writes the next one. `window_s` is the longest window that begins with an item.
create table account_history (
    bucket     smallint not null check (bucket between 0 and 1023),
    card_id    bigint not null,
    version    bigint not null check (version > 0),
    used       jsonb not null,
    chains     jsonb not null,
    window_s   bigint not null check (window_s >= 0),
    updated_at timestamptz not null,
    primary key (bucket, card_id),
    foreign key (bucket, card_id) references card
);

-- The same rows as before, in the order in which the stays of a card are settled.
drop index stay_to_price;
create index stay_to_price on stay (bucket, card_id, exit_at, stay_id) where state = 'closed';

-- tariff --------------------------------------------------------------------------------------------------------------
-- What the text says of when it counts: for stays that begin (or end, `version_at`) in [valid_from, valid_to).
alter table tariff_version
    add column version_at text not null default 'entry' check (version_at in ('entry', 'exit')),
    add column valid_from timestamptz not null default '-infinity',
    add column valid_to   timestamptz not null default 'infinity',
    add column source_sha256 bytea;
update tariff_version set source_sha256 = sha256(convert_to(source, 'UTF8'));
alter table tariff_version
    alter column source_sha256 set not null,
    add constraint tariff_version_source_hashed check (source_sha256 = sha256(convert_to(source, 'UTF8'))),
    add constraint tariff_version_parts
        unique (operator_id, sha256, tariff_id, version, source_sha256, currency, time_zone, version_at, valid_from, valid_to);

-- A version is final once it exists: its seal refers to every part of it, so no part can be updated and the row cannot be deleted
-- while the seal stands. A trigger would say the same, but tables with triggers cannot be distributed.
create table tariff_version_seal (
    operator_id   bigint not null,
    sha256        bytea not null,
    tariff_id     text not null,
    version       integer not null,
    source_sha256 bytea not null,
    currency      text not null,
    time_zone     text not null,
    version_at    text not null,
    valid_from    timestamptz not null,
    valid_to      timestamptz not null,
    primary key (operator_id, sha256),
    constraint tariff_version_is_final
       foreign key (operator_id, sha256, tariff_id, version, source_sha256, currency, time_zone, version_at, valid_from, valid_to)
       references tariff_version (operator_id, sha256, tariff_id, version, source_sha256, currency, time_zone, version_at, valid_from,
                                  valid_to)
       on update restrict on delete restrict
);
insert into tariff_version_seal
select operator_id, sha256, tariff_id, version, source_sha256, currency, time_zone, version_at, valid_from, valid_to
  from tariff_version;

-- charge --------------------------------------------------------------------------------------------------------------
-- A charge names the version that its fee was computed by; a deposit has none.
alter table charge
    add column tariff_sha256 bytea,
    add constraint charge_tariff foreign key (operator_id, tariff_sha256) references tariff_version (operator_id, sha256);
update charge c
   set tariff_sha256 = s.tariff_sha256
  from stay s
 where s.bucket = c.bucket and s.stay_id = c.charge_id and c.kind = 'stay';
