//! Which band is active at each second of a local day, as a run-length table: compiled from the windows of a plan.
//!
//! A plan whose windows ask for weekdays only has seven tables. One that asks for dates or seasons makes the table of a day when a
//! stay needs it; who prices many stays keeps them (`DayTables`), as days with equal tables share one.

// Seconds of a day and counts of bands and windows, all bounded when the tariff was read.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation
)]

use super::calendar::{weekday, DAY_S};
use super::model::{Band, When};

/// A band by its index; `NONE`: free.
pub(super) type BandIndex = u8;
pub(super) const NONE: BandIndex = u8::MAX;

/// From this second of the local day on, a band is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    pub from_s: i32,
    pub band: BandIndex,
}

/// The bands of a plan over local time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Layout {
    /// One band, or none, for all time.
    Always(BandIndex),
    /// A table for each weekday, Monday first.
    Weekly([Box<[Turn]>; 7]),
    /// Tables that depend on the date.
    Dated(Windows),
}

/// The windows of a plan, cut into the parts of a day between their borders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Windows {
    /// The borders, sorted, the first one 0.
    borders: Vec<i32>,
    /// Later bands first, so that earlier ones are painted over them.
    windows: Vec<Window>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Window {
    band: BandIndex,
    /// Indices of the borders at which it starts and ends.
    from: usize,
    to: usize,
    /// `None`: every day.
    when: Option<When>,
}

impl Layout {
    pub fn compile(bands: &[Band]) -> Self {
        let windows = Windows::compile(bands);
        let whens = || bands.iter().flat_map(|band| &band.when);
        if whens().any(When::asks_for_dates) {
            return Self::Dated(windows);
        }
        // Day 4 of the epoch was a Monday; any week would do.
        let week: [Box<[Turn]>; 7] =
            std::array::from_fn(|index| windows.table(4 + i64::try_from(index).unwrap_or(0)).into_boxed_slice());
        match &*week[0] {
            [turn] if week.iter().all(|table| **table == [*turn]) => Self::Always(turn.band),
            _ => Self::Weekly(week),
        }
    }
}

impl Windows {
    fn compile(bands: &[Band]) -> Self {
        let whens = bands.iter().flat_map(|band| &band.when);
        let mut borders: Vec<i32> = whens
            .flat_map(|when| [when.from_s, when.to_s])
            .chain([0])
            .filter(|border| *border < DAY_S)
            .map(|border| border as i32)
            .collect();
        borders.sort_unstable();
        borders.dedup();
        let place = |second: i64| borders.partition_point(|border| i64::from(*border) < second);
        let mut windows = Vec::new();
        for (index, band) in bands.iter().enumerate().rev() {
            let band_index = index as BandIndex;
            if band.when.is_empty() {
                windows.push(Window {
                    band: band_index,
                    from: 0,
                    to: borders.len(),
                    when: None,
                });
            }
            windows.extend(band.when.iter().map(|when| Window {
                band: band_index,
                from: place(when.from_s),
                to: place(when.to_s),
                when: Some(when.clone()),
            }));
        }
        Self { borders, windows }
    }

    /// The table of a local day.
    fn table(&self, day: i64) -> Vec<Turn> {
        let mut bands = vec![NONE; self.borders.len()];
        for window in &self.windows {
            let on = |day| window.when.as_ref().is_none_or(|when| when.day_holds(day));
            if window.from < window.to {
                if on(day) {
                    bands[window.from..window.to].fill(window.band);
                }
                continue;
            }
            // It wraps midnight and belongs to the day on which it starts.
            if on(day) {
                bands[window.from..].fill(window.band);
            }
            if on(day - 1) {
                bands[..window.to].fill(window.band);
            }
        }
        let mut table: Vec<Turn> = self
            .borders
            .iter()
            .zip(bands)
            .map(|(from_s, band)| Turn { from_s: *from_s, band })
            .collect();
        table.dedup_by_key(|turn| turn.band);
        table
    }
}

/// The days of these years are kept: 1969-12-30 to 2121-01-01, more than any stay or service day reaches.
const FIRST_DAY: i64 = -2;
const DAYS_KEPT: usize = 55_154;
const UNKNOWN: u16 = u16::MAX;

/// The tables of one plan as far as they were needed.
pub(super) struct DayTables<'a> {
    layout: &'a Layout,
    /// For each day its table; filled for a dated layout only, and only when many stays are priced.
    numbers: Vec<u16>,
    tables: Vec<Vec<Turn>>,
    /// The table of the day that was asked last, where tables are not kept.
    last: Option<(i64, Vec<Turn>)>,
}

impl<'a> DayTables<'a> {
    /// `keep`: whether many stays are to be priced.
    pub fn new(layout: &'a Layout, keep: bool) -> Self {
        let numbers = match layout {
            Layout::Dated(_) if keep => vec![UNKNOWN; DAYS_KEPT],
            _ => Vec::new(),
        };
        Self {
            layout,
            numbers,
            tables: Vec::new(),
            last: None,
        }
    }

    /// The band that is active at all times, if there is only one.
    #[inline]
    pub fn always(&self) -> Option<BandIndex> {
        match self.layout {
            Layout::Always(band) => Some(*band),
            Layout::Weekly(_) | Layout::Dated(_) => None,
        }
    }

    /// The table of a local day.
    #[inline]
    pub fn of_day(&mut self, day: i64) -> &[Turn] {
        match self.layout {
            Layout::Weekly(week) => &week[usize::from(weekday(day))],
            Layout::Dated(windows) => self.of_date(windows, day),
            Layout::Always(_) => &[],
        }
    }

    fn of_date(&mut self, windows: &Windows, day: i64) -> &[Turn] {
        let place = usize::try_from(day - FIRST_DAY).unwrap_or(usize::MAX);
        match self.numbers.get(place).copied() {
            Some(UNKNOWN) => {
                let table = windows.table(day);
                let known = self.tables.iter().position(|other| *other == table);
                let number = known.unwrap_or(self.tables.len());
                if number < usize::from(UNKNOWN) {
                    if known.is_none() {
                        self.tables.push(table);
                    }
                    self.numbers[place] = number as u16;
                    return &self.tables[number];
                }
                self.last.insert((day, table)).1.as_slice()
            }
            Some(number) => &self.tables[usize::from(number)],
            None => {
                if self.last.as_ref().is_none_or(|(last_day, _)| *last_day != day) {
                    self.last = Some((day, windows.table(day)));
                }
                self.last.as_ref().map_or(&[], |(_, table)| table)
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use crate::tariff::Tariff;

    fn layout(bands: &str) -> (Vec<Band>, Layout) {
        let text = format!(
            "{{ptl: 1, id: t, currency: CNY, minor_exponent: 2, timezone: UTC, dates: {{PH: [2026-10-01]}}, \
             plans: [{{id: p, cycle: stay, edge: split, bands: [{bands}]}}]}}"
        );
        let tariff = Tariff::parse(&text).expect("a tariff");
        let bands = tariff.plans[0].bands.clone();
        let layout = Layout::compile(&bands);
        (bands, layout)
    }

    const STEP: &str = "ladder: [{unit: 60, price: 1}]";

    /// The table says at every second what the first band that holds says.
    fn check(bands: &[Band], layout: &Layout, keep: bool) {
        let mut tables = DayTables::new(layout, keep);
        for day in 20_700..20_740 {
            let table = tables.of_day(day).to_vec();
            for second in (0..DAY_S).step_by(600) {
                let expected = bands.iter().position(|band| band.holds(day, second));
                let turn = table
                    .iter()
                    .rev()
                    .find(|turn| i64::from(turn.from_s) <= second)
                    .expect("a turn");
                assert_eq!(
                    (turn.band != NONE).then_some(usize::from(turn.band)),
                    expected,
                    "day {day} {second}"
                );
            }
        }
    }

    #[test]
    fn tables_say_what_the_first_holding_band_says() {
        for bands in [
            format!("{{id: d, when: {{from: '08:00', to: '20:00'}}, {STEP}}}"),
            format!("{{id: n, when: {{from: '22:30', to: '07:00', days: [fri-sun]}}, {STEP}}}, {{id: d, {STEP}}}"),
            format!("{{id: h, when: {{days: [PH]}}, {STEP}}}, {{id: d, when: {{from: '20:00', to: '02:00', days: [mon-fri, '!PH']}}, {STEP}}}"),
            format!("{{id: s, when: {{season: [[09-28, 10-03]]}}, {STEP}}}, {{id: o, when: {{on: [2026-10-05, 2026-10-06], from: '10:00'}}, {STEP}}}"),
        ] {
            let (bands, layout) = layout(&bands);
            check(&bands, &layout, false);
            check(&bands, &layout, true);
        }
    }

    #[test]
    fn one_band_for_all_time_needs_no_table() {
        assert_eq!(layout(&format!("{{id: d, {STEP}}}")).1, Layout::Always(0));
        let halves =
            format!("{{id: d, when: [{{from: '00:00', to: '12:00'}}, {{from: '12:00', to: '24:00'}}], {STEP}}}");
        assert_eq!(layout(&halves).1, Layout::Always(0));
        let free_first = format!("{{id: d, when: {{from: '08:00', to: '20:00'}}, {STEP}}}");
        assert!(matches!(layout(&free_first).1, Layout::Weekly(_)));
    }
}
