-- name: adjustments
-- What was done before, in order. $1 bucket, $2 stay
select number, to_minor, charge_id from adjustment where bucket = $1 and stay_id = $2 order by number;

-- name: insert_adjustment
-- $1 bucket, $2 stay, $3 number, $4 operator, $5 card, $6 correction, $7 reason, $8 from, $9 to, $10 waived, $11 raised, $12 refunded,
-- $13 short, $14 charge or null, $15 currency, $16 now
insert into adjustment (bucket, stay_id, number, operator_id, card_id, correction, reason, from_minor, to_minor, waived_minor, raised_minor,
                        refunded_minor, short_minor, charge_id, currency, adjusted_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16);
