//! Caps, one after the other, item by item (S13).

use std::collections::HashMap;

use super::feature::Feature;
use super::local::ServiceDays;
use super::misreading::Misreading;
use super::read::{Cap, Span};
use super::walk::{Item, Walk};

/// The used amounts by window; a window is named by two numbers.
pub type Used = HashMap<(i64, i64), i128>;

struct Windows<'a> {
    days: Option<ServiceDays<'a>>,
    first_day: i64,
    entered: Vec<(i64, i64)>,
}

impl Walk<'_> {
    /// Applies one cap; `used` says what was used before and learns what this stay uses.
    pub fn cap(&self, cap: &Cap, items: &mut [Item], used: &mut Used) {
        let misread = |misreading| self.reading.misreading == Some(misreading);
        let seen = self.reading.seen;
        let over = match cap.over {
            Span::Every(86_400) if misread(Misreading::EveryAsCalendarDays) => Span::Daily(0),
            Span::Daily(_) if misread(Misreading::DailyAsTwentyFourHours) && cap.account.is_none() => {
                Span::Every(86_400)
            }
            Span::Occurrence if misread(Misreading::OccurrenceCapOverCycle) => Span::Cycle,
            over => over,
        };
        let before = used.clone();
        let mut windows = self.windows(over);
        for item in items {
            let counts = |bands: &Vec<usize>| item.band.is_some_and(|band| bands.contains(&band));
            if !cap.bands.as_ref().is_none_or(counts) && !misread(Misreading::CapOfEveryBand) {
                continue;
            }
            let key = self.window(over, item, used, &mut windows);
            if !windows.entered.contains(&key) {
                windows.entered.push(key);
            }
            // Windows that time alone makes are counted from the entry's, others as they are entered.
            let place = match over {
                Span::Every(_) => key.0,
                Span::Daily(_) => key.0 - windows.first_day,
                _ => i64::try_from(windows.entered.len()).unwrap() - 1,
            };
            let place = if misread(Misreading::FirstLimitForAllWindows) {
                0
            } else {
                usize::try_from(place).unwrap()
            };
            let limit = cap.limits.get(place).or(cap.limits.last()).unwrap();
            let spent = used.entry(key).or_insert(0);
            seen.effect_if(limit.is_none() && item.amount > 0, Feature::CapNull);
            let allowed = limit.map_or(item.amount, |limit| item.amount.min((limit - *spent).max(0)));
            if allowed < item.amount {
                self.note(cap, place, before.contains_key(&key));
            }
            item.amount = allowed;
            *spent += allowed;
        }
    }

    fn windows(&self, over: Span) -> Windows<'_> {
        let turn_s = match over {
            Span::Daily(turn_s) | Span::Weekly(_, turn_s) => Some(turn_s),
            _ => None,
        };
        let mut days = turn_s.map(|turn_s| {
            ServiceDays::from(
                &self.sheet.zone,
                self.time.entry_s,
                turn_s,
                self.time.tick_s,
                self.reading.misreading,
            )
        });
        Windows {
            first_day: days.as_mut().map_or(0, |days| days.at(self.time.entry_s)),
            days,
            entered: Vec::new(),
        }
    }

    /// The window that contains the start of an item.
    fn window(&self, over: Span, item: &Item, used: &Used, windows: &mut Windows<'_>) -> (i64, i64) {
        let mut day = || windows.days.as_mut().unwrap().at(item.at_s);
        match over {
            Span::Stay => (0, 0),
            Span::Cycle => (item.cycle, 0),
            Span::Occurrence => (item.cycle, item.occurrence),
            Span::Every(length_s) => ((item.at_s - self.time.entry_s).div_euclid(length_s), 0),
            Span::Daily(_) => (day(), 0),
            // 1970-01-05 was a Monday.
            Span::Weekly(weekday, _) => ((day() - 4 - weekday).div_euclid(7), 0),
            Span::First(length_s) => {
                let open = used.keys().map(|(start_s, _)| *start_s);
                let holding = open.filter(|start_s| *start_s <= item.at_s && item.at_s < start_s + length_s);
                (holding.min().unwrap_or(item.at_s), 0)
            }
        }
    }

    fn note(&self, cap: &Cap, place: usize, carried_over: bool) {
        let seen = self.reading.seen;
        seen.effect(match cap.over {
            Span::Stay => Feature::CapStay,
            Span::Cycle => Feature::CapCycle,
            Span::Occurrence => Feature::CapOccurrence,
            Span::Every(_) => Feature::CapEvery,
            Span::First(_) => Feature::CapFirst,
            Span::Daily(_) => Feature::CapDaily,
            Span::Weekly(..) => Feature::CapWeekly,
        });
        seen.effect_if(place > 0 && cap.limits.len() > 1, Feature::CapList);
        seen.effect_if(cap.bands.is_some(), Feature::CapBands);
        seen.effect_if(cap.account.is_some() && carried_over, Feature::CapAccount);
        seen.effect_if(cap.pooled && carried_over, Feature::CapPool);
    }
}
