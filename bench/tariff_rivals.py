"""Two tariffs by hand for NumPy, polars and DuckDB, as good as each allows: what the engine is measured against.

Each knows one tariff and a zone whose clock does not change; the engine knows neither before it reads the text.
"""

from typing import Any, Final

import numpy as np
import polars as pl

DAY_S: Final = 86_400
HOUR_S: Final = 3_600
# China has kept one offset since 1991.
OFFSET_S: Final = 8 * HOUR_S
PRICE: Final = 500
DAY_MAX: Final = 4_000
# No whole day costs less than its maximum.
assert DAY_S // HOUR_S * PRICE > DAY_MAX


def hourly_numpy(stays: dict[str, Any]) -> Any:
    """One price an hour, at most so much a local day: units of the first day, of the last, and whole days between."""
    entry = stays["entry"] + OFFSET_S
    units = -((stays["entry"] - stays["exit"]) // HOUR_S)
    last = entry + (units - 1) * HOUR_S
    first_day, last_day = entry // DAY_S, last // DAY_S
    days = last_day - first_day
    on_first = np.minimum(-((entry - (first_day + 1) * DAY_S) // HOUR_S), units)
    on_last = np.where(days > 0, (last - last_day * DAY_S) // HOUR_S + 1, 0)
    between = np.maximum(days - 1, 0) * DAY_MAX
    return np.minimum(on_first * PRICE, DAY_MAX) + np.minimum(on_last * PRICE, DAY_MAX) + between


def hourly_polars(stays: pl.DataFrame) -> pl.DataFrame:
    """The same as one expression of polars."""
    entry = pl.col("entry") + OFFSET_S
    units = -((pl.col("entry") - pl.col("exit")) // HOUR_S)
    last = entry + (units - 1) * HOUR_S
    first_day, last_day = entry // DAY_S, last // DAY_S
    days = last_day - first_day
    on_first = pl.min_horizontal(-((entry - (first_day + 1) * DAY_S) // HOUR_S), units)
    on_last = pl.when(days > 0).then((last - last_day * DAY_S) // HOUR_S + 1).otherwise(0)
    fee = (
        pl.min_horizontal(on_first * PRICE, DAY_MAX)
        + pl.min_horizontal(on_last * PRICE, DAY_MAX)
        + pl.max_horizontal(days - 1, 0) * DAY_MAX
    )
    return stays.select(fee.alias("fee_minor"))


# Hangzhou, core area, cars: begun minutes do not count; 08-20 half hours at 5, from the third on at 6 yuan; 20-08
# 5 yuan a time.
# There it is 08:00 when a day of UTC begins, so a day of UTC is a day's band and the night after it.
DAY_NIGHT_SQL: Final = """
with moments as (
    select id, entry // 60 * 60 as e, exit // 60 * 60 as x from stays
), spans as (
    select id, e, x, unnest(range(e // 86400, (x - 1) // 86400 + 1)) * 86400 as d
      from moments
     where x > e
), parts as (
    select id,
           (greatest(least(x, d + 43200) - greatest(e, d), 0) + 1799) // 1800 as units,
           least(x, d + 86400) > greatest(e, d + 43200) as has_night
      from spans
)
select id,
       sum(500 * units + 100 * greatest(units - 2, 0) + case when has_night then 500 else 0 end)::bigint as fee_minor
  from parts
 group by id
"""

# The same without a row for each day: the first day, the last one, and whole ones between.
DAY_NIGHT_CLOSED_SQL: Final = """
with moments as (
    select entry // 60 * 60 as e, exit // 60 * 60 as x from stays
), days as (
    select e, x, e // 86400 * 86400 as first, (x - 1) // 86400 * 86400 as last from moments
), units as (
    select e, x, first, last,
           (greatest(least(x, first + 43200) - e, 0) + 1799) // 1800 as units_first,
           case when last > first then (least(x, last + 43200) - last + 1799) // 1800 else 0 end as units_last
      from days
)
select case when x = e then 0 else
            500 * units_first + 100 * greatest(units_first - 2, 0)
            + case when least(x, first + 86400) > greatest(e, first + 43200) then 500 else 0 end
            + 500 * units_last + 100 * greatest(units_last - 2, 0)
            + case when last > first and x > last + 43200 then 500 else 0 end
            + greatest((last - first) // 86400 - 1, 0) * (24 * 500 + 22 * 100 + 500) end as fee_minor
  from units
"""
