//! Random windows of local time, and the zones and dates around which they lie.

use serde_json::{json, Value};

use super::Dice;

/// Zones with a date around which their clocks change, a year turns, or nothing happens.
const PLACES: [(&str, &str); 24] = [
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("Europe/London", "2025-12-31"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("America/New_York", "2024-02-28"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("America/Sao_Paulo", "2017-10-15"),
    ("America/Sao_Paulo", "2018-02-18"),
    ("Asia/Beirut", "2025-03-30"),
    ("Asia/Beirut", "2025-10-26"),
    ("America/Havana", "2026-03-08"),
    ("America/Havana", "2026-11-01"),
    ("Africa/Casablanca", "2026-02-15"),
    ("Africa/Casablanca", "2026-03-22"),
    ("Pacific/Auckland", "2025-09-28"),
    ("Pacific/Chatham", "2026-04-05"),
    ("Asia/Shanghai", "2026-10-01"),
    ("Asia/Shanghai", "2024-02-29"),
    ("Asia/Kathmandu", "2026-12-31"),
    ("Asia/Kolkata", "2026-06-04"),
    ("America/St_Johns", "2010-11-07"),
    ("America/Asuncion", "2023-10-01"),
];

/// Where and when a tariff's stays take place.
#[derive(Clone, Copy)]
pub struct Focus {
    pub zone: &'static str,
    pub date: jiff::civil::Date,
    /// Lengths and times may have seconds that are multiples of this.
    pub grain_s: i64,
}

impl Focus {
    pub fn roll(dice: &mut Dice) -> Self {
        let (zone, date) = dice.one_of(&PLACES);
        let grain_s = match dice.below(20) {
            0 => 1,
            1 | 2 => 20,
            3 => 30,
            _ => 60,
        };
        Self {
            zone,
            date: date.parse().unwrap(),
            grain_s,
        }
    }

    /// A date some days off.
    pub fn near(&self, dice: &mut Dice) -> String {
        let days = jiff::Span::new().days(dice.between(-2, 3));
        self.date.checked_add(days).unwrap().to_string()
    }

    /// A time of day, mostly off the hour; never 24:00.
    pub fn time(&self, dice: &mut Dice) -> String {
        let hour = dice.below(24);
        let hour = if dice.percent(25) { hour % 4 } else { hour };
        let minute = dice.one_of(&[0, 0, 30, 30, 15, 7, 45, 59, 1]);
        if self.grain_s < 60 && dice.percent(30) {
            let second = dice.below(60 / self.grain_s) * self.grain_s;
            return format!("{hour:02}:{minute:02}:{second:02}");
        }
        format!("{hour:02}:{minute:02}")
    }

    pub fn dates(&self, dice: &mut Dice) -> Value {
        let mut list = |count: i64| -> Vec<String> { (0..count).map(|_| self.near(dice)).collect() };
        json!({"PH": list(2), "EVE_1": list(1)})
    }

    fn season(&self, dice: &mut Dice) -> Value {
        if dice.percent(30) {
            return dice
                .one_of(&[
                    ["11-15", "02-28"],
                    ["06-01", "09-15"],
                    ["02-29", "02-29"],
                    ["12-31", "01-01"],
                ])
                .into();
        }
        let (first, last) = (self.near(dice), self.near(dice));
        json!([first[5..], last[5..]])
    }

    fn days(dice: &mut Dice) -> Value {
        const TOKENS: [&str; 16] = [
            "mon", "tue-thu", "sat-sun", "fri-mon", "mon-fri", "PH", "EVE_1", "!PH", "!sun", "!mon-wed", "sun", "sat",
            "fri-sun", "wed", "!EVE_1", "thu-tue",
        ];
        let token = dice.one_of(&TOKENS);
        match dice.below(5) {
            0 => json!(token),
            1 => json!([token]),
            2 => json!([
                dice.one_of(&["mon-fri", "sat-sun", "sun-thu"]),
                dice.one_of(&["!PH", "!EVE_1", "PH", "EVE_1"])
            ]),
            _ => json!([token, dice.one_of(&TOKENS)]),
        }
    }

    fn when(&self, dice: &mut Dice) -> Value {
        let mut when = json!({});
        if dice.percent(75) {
            when["from"] = self.time(dice).into();
        }
        if dice.percent(75) {
            when["to"] = if dice.percent(12) {
                "24:00".into()
            } else {
                self.time(dice).into()
            };
        }
        if dice.percent(35) {
            when["days"] = Self::days(dice);
        }
        if dice.percent(12) {
            let count = if dice.percent(25) { 2 } else { 1 };
            when["season"] = (0..count).map(|_| self.season(dice)).collect();
        }
        if dice.percent(8) {
            let mut range = [self.near(dice), self.near(dice)];
            range.sort();
            when["on"] = json!(range);
        }
        if when == json!({}) {
            when["from"] = "08:00".into();
        }
        when
    }

    pub fn whens(&self, dice: &mut Dice) -> Value {
        match dice.below(10) {
            0 => json!([self.when(dice), self.when(dice), self.when(dice)]),
            1 | 2 => json!([self.when(dice), self.when(dice)]),
            3 => json!([self.when(dice)]),
            _ => self.when(dice),
        }
    }
}
