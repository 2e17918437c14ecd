//! A slow meter that looks at every tick of a stay, written from the language's description alone: the oracle of the fast one.
//!
//! It shares nothing with the engine: it reads the JSON text itself, asks `jiff` for the local time of every instant, charges
//! unit by unit and applies caps item by item.

use std::collections::HashMap;

use jiff::tz::TimeZone;
use jiff::Timestamp;
use serde_json::Value;

pub struct Oracle<'a> {
    tariff: &'a Value,
    zone: TimeZone,
    tick_s: i64,
    /// Time paid by a pass.
    covered: (i64, i64),
}

#[derive(Clone)]
struct Local {
    date: jiff::civil::Date,
    second: i64,
}

struct Item {
    at_s: i64,
    band: Option<usize>,
    amount: i128,
    cycle: i64,
    occurrence: i64,
}

struct Running {
    band: usize,
    end_s: i64,
    cycle: i64,
    occurrence: i64,
}

fn minutes_s(value: &Value) -> i64 {
    match value {
        Value::Number(minutes) => minutes.as_i64().unwrap() * 60,
        Value::String(text) => text.strip_suffix('s').expect("seconds").parse().unwrap(),
        other => panic!("not a duration: {other}"),
    }
}

fn clock_s(value: &Value) -> i64 {
    let text = value.as_str().unwrap();
    text[..2].parse::<i64>().unwrap() * 3_600 + text[3..5].parse::<i64>().unwrap() * 60
}

fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

fn weekday_number(text: &str) -> Option<i8> {
    let position = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        .iter()
        .position(|day| *day == text);
    position.map(|index| i8::try_from(index).unwrap())
}

impl<'a> Oracle<'a> {
    pub fn new(tariff: &'a Value, tick_s: i64, covered: (i64, i64)) -> Self {
        let zone = jiff::tz::TimeZoneDatabase::bundled()
            .get(tariff["timezone"].as_str().unwrap())
            .unwrap();
        Self {
            tariff,
            zone,
            tick_s,
            covered,
        }
    }

    fn local(&self, at_s: i64) -> Local {
        let zoned = Timestamp::from_second(at_s).unwrap().to_zoned(self.zone.clone());
        let time = zoned.time();
        let second = i64::from(time.hour()) * 3_600 + i64::from(time.minute()) * 60 + i64::from(time.second());
        Local {
            date: zoned.date(),
            second,
        }
    }

    fn day_token(&self, token: &str, date: jiff::civil::Date) -> bool {
        if let Some(dates) = self.tariff["dates"].get(token) {
            return items(dates)
                .iter()
                .any(|named| named.as_str() == Some(&date.to_string()));
        }
        let today = date.weekday().to_monday_zero_offset();
        match token.split_once('-') {
            Some((first, last)) => {
                let (first, last) = (weekday_number(first).unwrap(), weekday_number(last).unwrap());
                (0..7)
                    .map(|step| (first + step) % 7)
                    .take_while(|day| *day != (last + 1) % 7)
                    .any(|day| day == today)
                    || (first == (last + 1) % 7)
            }
            None => weekday_number(token).unwrap() == today,
        }
    }

    fn date_holds(&self, when: &Value, date: jiff::civil::Date) -> bool {
        let tokens: Vec<&str> = items(&when["days"])
            .iter()
            .map(|token| token.as_str().unwrap())
            .collect();
        let (negative, positive): (Vec<&str>, Vec<&str>) = tokens.into_iter().partition(|token| token.starts_with('!'));
        if negative.iter().any(|token| self.day_token(&token[1..], date)) {
            return false;
        }
        if !positive.is_empty() && !positive.iter().any(|token| self.day_token(token, date)) {
            return false;
        }
        let month_day = date.to_string()[5..].to_owned();
        let seasons = items(&when["season"]);
        if !seasons.is_empty() {
            let inside = |season: &&Value| {
                let (first, last) = (season[0].as_str().unwrap(), season[1].as_str().unwrap());
                if first <= last {
                    first <= month_day.as_str() && month_day.as_str() <= last
                } else {
                    first <= month_day.as_str() || month_day.as_str() <= last
                }
            };
            if !seasons.iter().any(inside) {
                return false;
            }
        }
        let on = items(&when["on"]);
        on.is_empty() || {
            let text = date.to_string();
            on[0].as_str().unwrap() <= text.as_str() && text.as_str() <= on[1].as_str().unwrap()
        }
    }

    fn when_holds(&self, when: &Value, at: &Local) -> bool {
        let from_s = when.get("from").map_or(0, clock_s);
        let to_s = when.get("to").map_or(86_400, clock_s);
        if from_s < to_s {
            return from_s <= at.second && at.second < to_s && self.date_holds(when, at.date);
        }
        if at.second >= from_s {
            self.date_holds(when, at.date)
        } else {
            at.second < to_s && self.date_holds(when, at.date.yesterday().unwrap())
        }
    }

    fn any_when(&self, whens: &Value, at_s: i64) -> bool {
        let at = self.local(at_s);
        items(whens).iter().any(|when| self.when_holds(when, &at))
    }

    fn active_band(&self, plan: &Value, at: &Local) -> Option<usize> {
        items(&plan["bands"]).iter().position(|band| {
            let whens = items(&band["when"]);
            whens.is_empty() || whens.iter().any(|when| self.when_holds(when, at))
        })
    }

    /// The service day of each tick: the largest date seen so far, turning at `turn_s`.
    fn service_days(&self, from_s: i64, to_s: i64, turn_s: i64) -> HashMap<i64, i64> {
        let mut latest = i64::MIN;
        let mut days = HashMap::new();
        let mut at_s = from_s - 4 * 3_600;
        while at_s < to_s {
            let local = self.local(at_s);
            let day = i64::from(
                local
                    .date
                    .since((jiff::Unit::Day, jiff::civil::date(1970, 1, 1)))
                    .unwrap()
                    .get_days(),
            );
            latest = latest.max(if local.second >= turn_s { day } else { day - 1 });
            days.insert(at_s, latest);
            at_s += self.tick_s;
        }
        days
    }

    fn cycles(&self, spec: &Value, entry_s: i64, exit_s: i64) -> Box<dyn Fn(i64) -> i64> {
        if let Some(every) = spec.get("every") {
            let length_s = minutes_s(every);
            return Box::new(move |at_s| (at_s - entry_s).div_euclid(length_s));
        }
        if let Some(daily) = spec.get("daily") {
            let days = self.service_days(entry_s, exit_s, clock_s(daily));
            return Box::new(move |at_s| days[&at_s]);
        }
        if let Some(weekly) = spec.get("weekly") {
            let (day, time) = weekly.as_str().unwrap().split_once(' ').unwrap();
            let days = self.service_days(entry_s, exit_s, clock_s(&Value::String(time.to_owned())));
            let first = i64::from(weekday_number(day).unwrap());
            return Box::new(move |at_s| (days[&at_s] - 4 - first).div_euclid(7));
        }
        Box::new(|_| 0)
    }

    /// The step at a progress: (length; 0 means all, price, unit).
    fn step(band: &Value, progress_s: i64) -> Option<(i64, i64, i64)> {
        let ladder = items(&band["ladder"]);
        let mut extents = Vec::new();
        let mut start_s = 0;
        for step in &ladder {
            let end_s = step.get("for").map_or(i64::MAX, |extent| start_s + minutes_s(extent));
            extents.push((start_s, end_s));
            start_s = end_s;
        }
        let mut at_s = progress_s;
        if let (Some(first), Some((_, end_s))) = (band.get("loop"), extents.last()) {
            let (first_s, _) = extents[usize::try_from(first.as_i64().unwrap()).unwrap()];
            while at_s >= *end_s {
                at_s -= end_s - first_s;
            }
        }
        let index = extents
            .iter()
            .position(|(from_s, to_s)| *from_s <= at_s && at_s < *to_s)?;
        let step = ladder[index];
        let price = step["price"].as_i64().unwrap();
        if step["unit"] == "all" {
            return Some((0, price, 1));
        }
        let unit_s = minutes_s(&step["unit"]);
        Some((step.get("bill").map_or(unit_s, minutes_s), price, unit_s))
    }

    /// The items of a stay; amounts are multiplied by `scale`.
    fn meter(&self, plan: &Value, entry_s: i64, exit_s: i64, scale: i128) -> Vec<Item> {
        let bands = items(&plan["bands"]);
        let cycle_of = self.cycles(&plan["cycle"], entry_s, exit_s);
        let free_s = plan["free"].get("minutes").map_or(0, minutes_s);
        let mut found: Vec<Item> = Vec::new();
        let mut progress: HashMap<usize, (i64, i64, i64)> = HashMap::new();
        let mut running: Option<Running> = None;
        let mut last_band: Option<(bool, Option<usize>)> = None;
        let mut occurrence = 0;
        let mut at_s = entry_s;
        let mut skipped_s = 0;
        while at_s < exit_s {
            let is_covered = self.covered.0 <= at_s && at_s < self.covered.1;
            if !is_covered && skipped_s < free_s {
                skipped_s += self.tick_s;
                at_s += self.tick_s;
                continue;
            }
            let active = self.active_band(plan, &self.local(at_s));
            let band = if is_covered { None } else { active };
            if last_band.is_some_and(|last| last != (is_covered, band)) {
                occurrence += 1;
            }
            last_band = Some((is_covered, band));
            running = running.filter(|_| !is_covered);
            let cycle = cycle_of(at_s);
            running = running.filter(|unit| {
                let occurrence_counts = plan["edge"] == "split" || unit.end_s == i64::MAX;
                at_s < unit.end_s && unit.cycle == cycle && !(occurrence_counts && unit.occurrence != occurrence)
            });
            if let (None, Some(index)) = (&running, band) {
                let walked = progress.get(&index).copied().filter(|(_, old_cycle, old_occurrence)| {
                    *old_cycle == cycle && (bands[index]["restart"] == "cycle" || *old_occurrence == occurrence)
                });
                let walked_s = walked.map_or(0, |(seconds, _, _)| seconds);
                if let Some((length_s, price, unit_s)) = Self::step(bands[index], walked_s) {
                    let amount = if length_s == 0 {
                        i128::from(price) * scale
                    } else {
                        i128::from(price) * i128::from(length_s) * scale / i128::from(unit_s)
                    };
                    let end_s = if length_s == 0 { i64::MAX } else { at_s + length_s };
                    found.push(Item {
                        at_s,
                        band: Some(index),
                        amount,
                        cycle,
                        occurrence,
                    });
                    running = Some(Running {
                        band: index,
                        end_s,
                        cycle,
                        occurrence,
                    });
                    progress.insert(index, (walked_s, cycle, occurrence));
                }
            }
            if let Some(unit) = &running {
                progress.get_mut(&unit.band).unwrap().0 += self.tick_s;
            }
            at_s += self.tick_s;
        }
        if let (Some(fee), Some(first)) = (plan.get("entry_fee"), found.first()) {
            let amount = i128::from(fee.as_i64().unwrap()) * scale;
            let item = Item {
                at_s: first.at_s,
                band: None,
                amount,
                cycle: first.cycle,
                occurrence: first.occurrence,
            };
            found.insert(0, item);
        }
        found
    }

    /// `edge: total`: every paid tick at its exact price; the ticks missing to a whole unit at the last one's.
    fn meter_total(&self, plan: &Value, entry_s: i64, exit_s: i64, scale: i128) -> Vec<Item> {
        let bands = items(&plan["bands"]);
        let mut paid_s = 0;
        let mut last: Option<(i64, i128)> = None;
        let mut found = Vec::new();
        let mut at_s = entry_s + plan["free"].get("minutes").map_or(0, minutes_s);
        let item = |amount| Item {
            at_s: entry_s,
            band: None,
            amount,
            cycle: 0,
            occurrence: 0,
        };
        while at_s < exit_s {
            let is_covered = self.covered.0 <= at_s && at_s < self.covered.1;
            let active = self.active_band(plan, &self.local(at_s)).filter(|_| !is_covered);
            if let Some((length_s, price, unit_s)) = active.and_then(|index| Self::step(bands[index], 0)) {
                let a_second = i128::from(price) * scale / i128::from(unit_s);
                found.push(item(a_second * i128::from(self.tick_s)));
                paid_s += self.tick_s;
                last = Some((length_s, a_second));
            }
            at_s += self.tick_s;
        }
        if let Some((length_s, a_second)) = last {
            found.push(item(a_second * i128::from((length_s - paid_s % length_s) % length_s)));
        }
        found
    }

    fn cap(&self, plan: &Value, cap: &Value, found: &mut [Item], stay: (i64, i64), scale: i128) {
        let names: Vec<&Value> = items(&plan["bands"]).iter().map(|band| &band["id"]).collect();
        let counted = items(&cap["bands"]);
        let window_of = self.cycles(&cap["over"], stay.0, stay.1);
        let first_window = window_of(stay.0);
        let mut used: HashMap<(i64, i64), i128> = HashMap::new();
        let mut open: Option<i64> = None;
        let mut entered: Vec<(i64, i64)> = Vec::new();
        for item in found {
            if !counted.is_empty() && !item.band.is_some_and(|band| counted.contains(&names[band])) {
                continue;
            }
            let key = match &cap["over"] {
                Value::String(text) if text == "cycle" => (item.cycle, 0),
                Value::String(text) if text == "occurrence" => (item.cycle, item.occurrence),
                over if over["anchor"] == "first" => {
                    let length_s = minutes_s(&over["every"]);
                    if open.is_none_or(|start_s| item.at_s >= start_s + length_s) {
                        open = Some(item.at_s);
                    }
                    (open.unwrap(), 0)
                }
                _ => (window_of(item.at_s), 0),
            };
            if !entered.contains(&key) {
                entered.push(key);
            }
            let by_time = cap["over"].get("every").is_some() && cap["over"]["anchor"] != "first";
            let place = if by_time || cap["over"].get("daily").is_some() {
                usize::try_from(key.0 - first_window).unwrap()
            } else {
                entered.len() - 1
            };
            let limits = items(&cap["max"]);
            let Some(limit) = limits.get(place).or(limits.last()).unwrap().as_i64() else {
                continue;
            };
            let spent = used.entry(key).or_insert(0);
            item.amount = item.amount.min((i128::from(limit) * scale - *spent).max(0));
            *spent += item.amount;
        }
    }

    fn condition(&self, condition: &Value, class: &str, tags: &[&str], stay: (i64, i64)) -> bool {
        let minutes = &condition["minutes"];
        let length_s = stay.1 - stay.0;
        let bound = |name: &str| minutes.get(name).map(minutes_s);
        (condition.get("class").is_none() || items(&condition["class"]).iter().any(|name| **name == *class))
            && (condition.get("tag").is_none()
                || items(&condition["tag"])
                    .iter()
                    .any(|tag| tags.contains(&tag.as_str().unwrap())))
            && bound("le").is_none_or(|s| length_s <= s)
            && bound("lt").is_none_or(|s| length_s < s)
            && bound("ge").is_none_or(|s| length_s >= s)
            && bound("gt").is_none_or(|s| length_s > s)
            && (condition.get("entry").is_none() || self.any_when(&condition["entry"], stay.0))
            && (condition.get("exit").is_none()
                || self.any_when(&condition["exit"], stay.1)
                || self.any_when(&condition["exit"], stay.1 - 1))
    }

    fn plan_fee(&self, plan: &Value, class: &str, tags: &[&str], stay: (i64, i64), scale: i128) -> i128 {
        let covered_s = (stay.1.min(self.covered.1) - stay.0.max(self.covered.0)).max(0);
        let length_s = stay.1 - stay.0 - covered_s;
        if let Some(minutes) = plan["grace"].get("minutes") {
            let bound_s = minutes_s(minutes);
            if length_s < bound_s || (length_s == bound_s && plan["grace"]["strict"] != true) {
                return 0;
            }
        }
        let mut found = self.meter(plan, stay.0, stay.1, scale);
        if plan["edge"] == "total" {
            found = self.meter_total(plan, stay.0, stay.1, scale);
        }
        for cap in items(&plan["caps"]) {
            if self.condition(&cap["if"], class, tags, stay) {
                self.cap(plan, cap, &mut found, stay, scale);
            }
        }
        let fee: i128 = found.iter().map(|item| item.amount).sum();
        let least = plan
            .get("min")
            .map_or(0, |min| i128::from(min.as_i64().unwrap()) * scale);
        if fee > 0 {
            fee.max(least)
        } else {
            fee
        }
    }

    /// The fee of a stay, its instants rounded to the clock's step; `None`: no plan applies.
    pub fn fee_minor(&self, class: &str, tags: &[&str], entry_s: i64, exit_s: i64) -> Option<i64> {
        // Divisible by every unit of the shared tariffs, so that no amount is ever cut.
        let scale: i128 = 86_400 * 7 * 11 * 13 * 17 * 19;
        let stay = (entry_s, exit_s);
        let plans = items(&self.tariff["plans"]);
        let mut fees = plans
            .iter()
            .filter(|plan| self.condition(&plan["if"], class, tags, stay))
            .map(|plan| self.plan_fee(plan, class, tags, stay, scale));
        let fee = if self.tariff["choose"] == "lowest" {
            fees.min()?
        } else {
            fees.next()?
        };
        Some(i64::try_from((fee * 2 + scale) / (scale * 2)).unwrap())
    }
}
