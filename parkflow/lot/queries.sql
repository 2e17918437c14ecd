-- name: insert_lot
-- $1 id, $2 operator, $3 reference, $4 name, $5 time zone, $6 product, $7 policy, $8 now
insert into lot (lot_id, operator_id, reference, name, time_zone, product, policy, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (operator_id, reference) do nothing
returning lot_id;

-- name: lot_row
-- $1 operator, $2 lot
select lot_id, operator_id, reference, name, time_zone, product, policy
  from lot
 where operator_id = $1 and lot_id = $2;

-- name: lots_of_operator
-- $1 operator
select lot_id, operator_id, reference, name, time_zone, product, policy
  from lot
 where operator_id = $1
 order by reference;

-- name: lots_by_id
-- $1 lots
select lot_id, operator_id, reference, name, time_zone, product, policy
  from lot
 where lot_id = any($1::bigint[]);

-- name: insert_lane
-- $1 id, $2 lot, $3 reference, $4 direction, $5 now
insert into lane (lane_id, lot_id, reference, direction, created_at)
values ($1, $2, $3, $4, $5)
on conflict (lot_id, reference) do nothing
returning lane_id;

-- name: lane_row
-- A lane of another operator's lot is not found. $1 operator, $2 lane
select lane.lane_id, lane.lot_id, lane.reference, lane.direction
  from lane
  join lot on lot.lot_id = lane.lot_id
 where lot.operator_id = $1 and lane.lane_id = $2;

-- name: lanes_by_id
-- $1 lanes
select lane_id, lot_id, reference, direction from lane where lane_id = any($1::bigint[]);

-- name: lanes_of_operator
-- $1 operator
select lane.lane_id, lane.lot_id, lane.reference, lane.direction
  from lane
  join lot on lot.lot_id = lane.lot_id
 where lot.operator_id = $1
 order by lane.lot_id, lane.lane_id;
