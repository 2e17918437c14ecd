-- What the peak of uploads needs: hash chains of gates' journals, and rows that are cheap to write.
set local lock_timeout = '5s';

-- gate ----------------------------------------------------------------------------------------------------------------
-- The hash chain of a gate's journal: SHA-256 of the hash before it and of the event's own content hash. Events from before this
-- column have none.
alter table gate_event
    add column chain_sha256 bytea check (length(chain_sha256) = 32),
    -- A barrier that a person raised with nothing shown is an event too.
    drop constraint gate_event_medium_check,
    add constraint gate_event_medium_check check (medium in ('code', 'plate', 'ticket', 'lift')),
    -- The gate of an event is one that was authenticated in the same request, and gates are never deleted: a check per row would only
    -- make every upload lock its gate's row.
    drop constraint gate_event_gate_id_fkey;

-- The chain's hash at `acked_seq`, by which the next batch shows that it follows; unknown for what was acknowledged before.
alter table gate_watermark add column acked_sha256 bytea check (length(acked_sha256) = 32);

-- Between which instants a passage really was, where the gate's clock was in doubt; null where it was not. A scan is inserted by a
-- join with its credential, whose card exists, and by an authenticated gate of a lot, so these are not checked again row by row; the
-- invariants look for what should not be.
alter table scan
    add column medium text not null default 'code' check (medium in ('code', 'plate', 'ticket', 'lift')),
    add column earliest_at timestamptz,
    add column latest_at timestamptz,
    add constraint scan_doubt check ((earliest_at is null) = (latest_at is null) and earliest_at <= latest_at),
    drop constraint scan_gate_id_fkey,
    drop constraint scan_lot_id_fkey,
    drop constraint scan_bucket_card_id_fkey,
    -- A passage by plate, ticket or hand shows no credential.
    alter column serial drop not null;
