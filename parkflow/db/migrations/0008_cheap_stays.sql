-- Rows of the peak that are cheap to write: stays, charges and transfers are no longer looked up row by row in what they name.
set local lock_timeout = '5s';

-- A foreign key costs each row about ten microseconds and a lock on what it names, which was more than half of writing a stay, its
-- price, its charge and its transfer. What they name is read in the transaction that writes them (the card of a stay with its
-- operator, the lot of a scan by its gate, the version by the lot's assignment, the stay of a charge, the open day of a transfer,
-- which is even held), and rows of these kinds are never deleted: devices, credentials, agreements and the seals of versions,
-- whose keys remain, would refuse it. The invariants look for rows that name what is not there.

-- parking -------------------------------------------------------------------------------------------------------------
alter table stay
    drop constraint stay_operator_id_fkey,
    drop constraint stay_lot_id_fkey,
    drop constraint stay_bucket_card_id_fkey,
    drop constraint stay_operator_id_tariff_sha256_fkey;

-- charge --------------------------------------------------------------------------------------------------------------
alter table charge
    drop constraint charge_operator_id_fkey,
    drop constraint charge_lot_id_fkey,
    drop constraint charge_bucket_card_id_fkey,
    drop constraint charge_tariff;

-- ledger --------------------------------------------------------------------------------------------------------------
alter table ledger_transfer
    drop constraint ledger_transfer_operator_id_fkey,
    drop constraint ledger_transfer_operator_id_business_day_fkey;

-- gate ----------------------------------------------------------------------------------------------------------------
-- Every pass asks for entries that wait for an exit; without this it read all that waits for anything.
create index scan_awaiting_exit on scan (bucket, card_id, lot_id) where state = 'held' and reason = 'awaiting_exit';
