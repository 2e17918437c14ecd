//! Reads the JSON text of a tariff once, by the field list of the language; the text is known to be valid.

use std::collections::HashMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::local::{day_number, first_shown_s, When};

/// Amounts are multiplied by this, so that no price of a second or of a billed minute is ever cut.
pub const SCALE: i128 = 256 * 81 * 625 * 49 * 11 * 13 * 17 * 19 * 23;
const LONG_S: i64 = i64::MAX / 4;

pub struct Sheet {
    pub zone: TimeZone,
    pub step_s: i64,
    pub entry_up: bool,
    pub exit_up: bool,
    pub lowest: bool,
    pub plans: Vec<Plan>,
    pub order: Vec<String>,
    pub leave: Leave,
    pub reentry_s: Option<i64>,
    pub valid: Valid,
    pub tax: Option<(i128, bool)>,
    pub round_to: i128,
    pub round_mode: String,
    /// A length that divides every length and time of day of the tariff.
    pub grain_s: i64,
}

/// From when to when this version prices stays, and whether their exits decide.
pub struct Valid {
    pub from_s: Option<i64>,
    pub to_s: Option<i64>,
    pub at_exit: bool,
}

pub struct Leave {
    pub within_s: i64,
    pub restart: bool,
    pub plain: bool,
}

pub struct Plan {
    pub condition: Condition,
    pub grace: Option<(i64, bool)>,
    pub free: Option<(i64, bool)>,
    pub entry_fee: i128,
    pub cycle: Span,
    pub edge: String,
    pub bands: Vec<Band>,
    pub caps: Vec<Cap>,
    pub least: i128,
}

#[derive(Default)]
pub struct Condition {
    pub classes: Option<Vec<String>>,
    pub tags: Option<Vec<String>>,
    pub entry: Vec<When>,
    pub exit: Vec<When>,
    pub minutes: Vec<(String, i64)>,
}

pub struct Band {
    pub whens: Vec<When>,
    pub ladder: Vec<Step>,
    pub repeat: Option<usize>,
    pub per_cycle: bool,
}

pub struct Step {
    /// Length of a unit as it is billed; none: to the end of the occurrence.
    pub length_s: Option<i64>,
    pub amount: i128,
    /// The price of a second, for `edge: total`.
    pub a_second: i128,
    /// The length and price of a whole unit, when less is billed.
    pub whole: Option<(i64, i128)>,
    pub from_s: i64,
    pub to_s: i64,
}

/// A cycle or the window of a cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    Stay,
    Cycle,
    Occurrence,
    Every(i64),
    First(i64),
    Daily(i64),
    Weekly(i64, i64),
}

pub struct Cap {
    pub limits: Vec<Option<i128>>,
    pub over: Span,
    pub bands: Option<Vec<usize>>,
    pub condition: Option<Condition>,
    /// What the use is kept under, for caps over an account.
    pub account: Option<String>,
    pub pooled: bool,
}

pub fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

fn words(value: &Value) -> Option<Vec<String>> {
    (!value.is_null()).then(|| {
        items(value)
            .iter()
            .map(|item| item.as_str().unwrap().to_owned())
            .collect()
    })
}

/// Seconds of a duration: minutes as a number, or `1h30m20s` with any of its parts.
pub fn seconds(value: &Value) -> i64 {
    if let Some(minutes) = value.as_i64() {
        return minutes * 60;
    }
    let (mut total_s, mut count) = (0, 0);
    for letter in value.as_str().unwrap().chars() {
        match letter {
            'h' => total_s += std::mem::take(&mut count) * 3_600,
            'm' => total_s += std::mem::take(&mut count) * 60,
            's' => total_s += std::mem::take(&mut count),
            digit => count = count * 10 + i64::from(digit.to_digit(10).unwrap()),
        }
    }
    total_s
}

fn time_s(text: &str) -> i64 {
    text.split(':')
        .zip([3_600, 60, 1])
        .map(|(part, unit_s)| part.parse::<i64>().unwrap() * unit_s)
        .sum()
}

fn weekday(text: &str) -> Option<i64> {
    let place = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        .iter()
        .position(|day| *day == text);
    place.map(|place| i64::try_from(place).unwrap())
}

fn price(value: &Value) -> i128 {
    i128::from(value.as_i64().unwrap_or(0)) * SCALE
}

fn date_day(value: &Value) -> i64 {
    day_number(value.as_str().unwrap().parse::<Date>().unwrap())
}

/// The names under `dates`.
struct Named(HashMap<String, Vec<i64>>);

impl Named {
    /// The days of a token: weekdays, or named dates.
    fn token(&self, text: &str) -> (Vec<i64>, Vec<i64>) {
        if let Some(days) = self.0.get(text) {
            return (Vec::new(), days.clone());
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (mut day, last) = (weekday(first).unwrap(), weekday(last).unwrap());
        let mut days = vec![day];
        while day != last {
            day = (day + 1) % 7;
            days.push(day);
        }
        (days, Vec::new())
    }

    fn when(&self, value: &Value) -> When {
        let month_day = |text: &Value| {
            let (month, day) = text.as_str().unwrap().split_once('-').unwrap();
            (month.parse().unwrap(), day.parse().unwrap())
        };
        let mut when = When {
            from_s: value["from"].as_str().map_or(0, time_s),
            to_s: value["to"].as_str().map_or(86_400, time_s),
            seasons: items(&value["season"])
                .iter()
                .map(|pair| (month_day(&pair[0]), month_day(&pair[1])))
                .collect(),
            on: value.get("on").map(|pair| (date_day(&pair[0]), date_day(&pair[1]))),
            ..When::default()
        };
        for token in items(&value["days"]) {
            let text = token.as_str().unwrap();
            let name = text.trim_start_matches('!');
            let found = self.token(name);
            when.named |= self.0.contains_key(name);
            if name == text {
                when.yes.push(found);
            } else {
                when.no.push(found);
            }
        }
        when
    }

    fn whens(&self, value: &Value) -> Vec<When> {
        items(value).into_iter().map(|when| self.when(when)).collect()
    }

    fn condition(&self, value: &Value) -> Condition {
        let minutes = value["minutes"].as_object();
        Condition {
            classes: words(&value["class"]),
            tags: words(&value["tag"]),
            entry: self.whens(&value["entry"]),
            exit: self.whens(&value["exit"]),
            minutes: minutes
                .into_iter()
                .flatten()
                .map(|(name, bound)| (name.clone(), seconds(bound)))
                .collect(),
        }
    }

    fn band(&self, value: &Value) -> Band {
        let mut from_s = 0;
        let mut ladder = Vec::new();
        for step in items(&value["ladder"]) {
            let all = step["unit"] == "all";
            let unit_s = if all { 1 } else { seconds(&step["unit"]) };
            let billed_s = step.get("bill").map_or(unit_s, seconds);
            let to_s = step.get("for").map_or(LONG_S, |extent| from_s + seconds(extent));
            assert!(
                SCALE % i128::from(unit_s) == 0 || step.get("bill").is_none(),
                "a unit that the scale lacks"
            );
            ladder.push(Step {
                length_s: (!all).then_some(billed_s),
                amount: price(&step["price"]) * i128::from(billed_s) / i128::from(unit_s),
                a_second: price(&step["price"]) / i128::from(unit_s),
                whole: (billed_s != unit_s).then(|| (unit_s, price(&step["price"]))),
                from_s,
                to_s,
            });
            from_s = to_s;
        }
        Band {
            whens: self.whens(&value["when"]),
            ladder,
            repeat: value["loop"].as_u64().map(|step| usize::try_from(step).unwrap()),
            per_cycle: value["restart"] == "cycle",
        }
    }
}

fn span(value: &Value) -> Span {
    if let Some(word) = value.as_str() {
        return match word {
            "stay" => Span::Stay,
            "cycle" => Span::Cycle,
            "occurrence" => Span::Occurrence,
            other => panic!("no window: {other}"),
        };
    }
    if let Some(every) = value.get("every") {
        let length_s = seconds(every);
        return if value["anchor"] == "first" {
            Span::First(length_s)
        } else {
            Span::Every(length_s)
        };
    }
    if let Some(daily) = value["daily"].as_str() {
        return Span::Daily(time_s(daily));
    }
    let (day, time) = value["weekly"].as_str().unwrap().split_once(' ').unwrap();
    Span::Weekly(weekday(day).unwrap(), time_s(time))
}

fn cap(value: &Value, plan: &Value, own_key: String, named: &Named) -> Cap {
    let ids: Vec<&Value> = items(&plan["bands"]).iter().map(|band| &band["id"]).collect();
    let counted = value.get("bands").map(|bands| {
        items(bands)
            .iter()
            .map(|name| ids.iter().position(|id| id == name).unwrap())
            .collect()
    });
    let account =
        (value["scope"] == "account").then(|| value["pool"].as_str().map_or(own_key, |pool| format!("pool {pool}")));
    Cap {
        limits: match &value["max"] {
            Value::Array(limits) => limits
                .iter()
                .map(|limit| (!limit.is_null()).then(|| price(limit)))
                .collect(),
            one => vec![Some(price(one))],
        },
        over: span(&value["over"]),
        bands: counted,
        condition: value.get("if").map(|condition| named.condition(condition)),
        account,
        pooled: value.get("pool").is_some(),
    }
}

fn plan(value: &Value, tariff_id: &str, named: &Named) -> Plan {
    let id = value["id"].as_str().unwrap().to_owned();
    let grace = &value["grace"];
    let free = &value["free"];
    let caps = items(&value["caps"]);
    Plan {
        condition: named.condition(&value["if"]),
        grace: grace
            .get("minutes")
            .map(|minutes| (seconds(minutes), grace["strict"] == true)),
        free: free
            .get("minutes")
            .map(|minutes| (seconds(minutes), free["per"] == "day")),
        entry_fee: price(&value["entry_fee"]),
        cycle: span(&value["cycle"]),
        edge: value["edge"].as_str().unwrap().to_owned(),
        bands: items(&value["bands"])
            .into_iter()
            .map(|band| named.band(band))
            .collect(),
        caps: caps
            .into_iter()
            .enumerate()
            .map(|(place, one)| cap(one, value, format!("{tariff_id} {id} {place}"), named))
            .collect(),
        least: price(&value["min"]),
    }
}

fn greatest_divisor(left: i64, right: i64) -> i64 {
    if right == 0 {
        left.abs()
    } else {
        greatest_divisor(right, left % right)
    }
}

/// The common divisor of 60 s and all lengths and times of day that the text names.
fn grain_s(value: &Value, name: &str, grain: i64) -> i64 {
    let named = match (name, value) {
        // Dates, which no unit begins or ends at.
        ("valid", _) => 0,
        (_, Value::Object(fields)) => {
            return fields
                .iter()
                .fold(grain, |grain, (name, value)| grain_s(value, name, grain));
        }
        (_, Value::Array(list)) => return list.iter().fold(grain, |grain, value| grain_s(value, name, grain)),
        ("unit" | "for" | "bill" | "every", value) if value != "all" => seconds(value),
        // `grace` and `if` compare whole lengths; only free minutes move the start of a unit.
        ("minutes", Value::String(_)) => seconds(value),
        ("from" | "to" | "daily", Value::String(text)) => time_s(text),
        ("weekly", Value::String(text)) => time_s(&text[4..]),
        _ => 0,
    };
    greatest_divisor(grain, named)
}

/// What an instant or a length leaves of a grain.
pub fn finer(grain: i64, length_s: i64) -> i64 {
    greatest_divisor(grain, length_s)
}

impl Sheet {
    pub fn read(value: &Value) -> Self {
        let named = Named(
            value["dates"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, dates)| (name.clone(), items(dates).into_iter().map(date_day).collect()))
                .collect(),
        );
        let id = value["id"].as_str().unwrap().to_owned();
        let zone = jiff::tz::TimeZoneDatabase::bundled()
            .get(value["timezone"].as_str().unwrap())
            .unwrap();
        let bound_s = |name: &str| {
            let (date, time) = value["valid"][name].as_str()?.split_at(10);
            let day = day_number(date.parse().unwrap());
            Some(first_shown_s(&zone, day, time.strip_prefix('T').map_or(0, time_s)))
        };
        let (clock, leave, tax, round) = (&value["clock"], &value["leave"], &value["tax"], &value["round"]);
        let usual = ["minutes", "percent", "amount", "points"].map(str::to_owned).to_vec();
        Self {
            valid: Valid {
                from_s: bound_s("from"),
                to_s: bound_s("to"),
                at_exit: value["version_at"] == "exit",
            },
            zone,
            step_s: clock["step"].as_i64().unwrap_or(1),
            entry_up: clock["entry"] == "ceil",
            exit_up: clock["exit"] == "ceil",
            lowest: value["choose"] == "lowest",
            plans: items(&value["plans"])
                .into_iter()
                .map(|one| plan(one, &id, &named))
                .collect(),
            order: words(&value["discount_order"]).unwrap_or(usual),
            leave: Leave {
                within_s: leave.get("minutes").map_or(0, seconds),
                restart: leave["then"] == "restart",
                plain: leave["plain"] == true,
            },
            reentry_s: value["reentry"].get("within").map(seconds),
            tax: tax["rate_bp"]
                .as_i64()
                .map(|rate| (i128::from(rate), tax["mode"] == "added")),
            round_to: i128::from(round["to"].as_i64().unwrap_or(1)),
            round_mode: round["mode"].as_str().unwrap_or("half_up").to_owned(),
            grain_s: grain_s(value, "", 60),
        }
    }
}
