-- A word from those who take uploads in to those who apply them: the database is needed for what gates are waiting for.
set local lock_timeout = '5s';

-- gate ----------------------------------------------------------------------------------------------------------------
-- One row. Real time, as with leases; it loses its force by itself when nobody renews it.
create table ingest_pressure (
    one           boolean primary key default true check (one),
    pressed_until timestamptz not null
);
insert into ingest_pressure (pressed_until) values ('-infinity');
