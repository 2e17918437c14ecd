//! Random valid tariffs: small and tangled, over the whole language.

use serde_json::{json, Value};

use super::windows::Focus;
use super::Dice;

const PRICES: [i64; 16] = [0, 1, 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 97, 101, 250];
const MINUTES: [i64; 20] = [
    1, 5, 7, 10, 11, 13, 15, 20, 25, 30, 30, 45, 50, 60, 60, 90, 100, 120, 180, 240,
];
const LIMITS: [i64; 12] = [0, 5, 7, 13, 23, 31, 47, 61, 97, 150, 401, 900];
pub const CLASSES: [&str; 3] = ["car", "large", "nev"];
pub const TAGS: [&str; 2] = ["lost", "vip"];

/// The draft of a tariff: where it applies and whether its fees may depend on an account's earlier stays.
struct Draft<'a> {
    dice: &'a mut Dice,
    focus: Focus,
    history: bool,
    /// How the shared pool counts, so that it means the same wherever it is named.
    pool_over: Value,
}

/// A tariff, and where its stays take place.
pub fn tariff(dice: &mut Dice) -> (Value, Focus) {
    let focus = Focus::roll(dice);
    let history = dice.percent(30);
    let pool_over = match dice.below(3) {
        0 => json!({"every": dice.one_of(&[60, 300, 1_440]), "anchor": "first"}),
        1 => json!({"daily": focus.time(dice)}),
        _ => json!({"weekly": format!("{} {}", dice.one_of(&["mon", "sun", "thu"]), focus.time(dice))}),
    };
    let mut draft = Draft {
        dice,
        focus,
        history,
        pool_over,
    };
    (draft.tariff(), focus)
}

impl Draft<'_> {
    fn price(&mut self) -> i64 {
        self.dice.one_of(&PRICES)
    }

    fn duration(&mut self) -> Value {
        let grain_s = self.focus.grain_s;
        if grain_s < 60 && self.dice.percent(40) {
            let seconds = self.dice.between(1, 200 / grain_s + 2) * grain_s;
            return format!("{seconds}s").into();
        }
        match self.dice.below(30) {
            0 => "1h30m".into(),
            1 => "50m".into(),
            _ => self.dice.one_of(&MINUTES).into(),
        }
    }

    /// A length in whole minutes up to two days and a bit.
    fn long(&mut self) -> Value {
        self.dice
            .one_of(&[60, 90, 185, 300, 480, 720, 1_440, 1_440, 1_440, 2_000, 2_880])
            .into()
    }

    fn tariff(&mut self) -> Value {
        let plans = self.dice.one_of(&[1, 1, 1, 2, 2, 3]);
        let plans: Vec<Value> = (0..plans).map(|place| self.plan(place, place + 1 == plans)).collect();
        let mut tariff = json!({
            "ptl": 1,
            "id": "random",
            "currency": "CNY",
            "minor_exponent": 2,
            "timezone": self.focus.zone,
            "dates": self.focus.dates(self.dice),
            "plans": plans,
        });
        if plans.len() > 1 && self.dice.percent(60) {
            tariff["choose"] = self.dice.one_of(&["lowest", "lowest", "first"]).into();
        }
        self.rest(&mut tariff);
        tariff
    }

    /// What stands beside the plans.
    fn rest(&mut self, tariff: &mut Value) {
        if self.dice.percent(45) {
            let ways = ["floor", "ceil"];
            tariff["clock"] = json!({
                "step": self.dice.one_of(&[1, 60, 60]),
                "entry": self.dice.one_of(&ways),
                "exit": self.dice.one_of(&ways),
            });
        }
        if self.dice.percent(40) {
            let mut kinds = vec!["minutes", "percent", "amount", "points"];
            let mut order = Vec::new();
            while !kinds.is_empty() {
                let place = self.dice.below(i64::try_from(kinds.len()).unwrap());
                order.push(kinds.remove(usize::try_from(place).unwrap()));
            }
            tariff["discount_order"] = json!(order);
        }
        if self.dice.percent(35) {
            tariff["leave"] = json!({
                "minutes": self.dice.one_of(&[0, 5, 15, 20, 90]),
                "then": self.dice.one_of(&["topup", "restart"]),
                "plain": self.dice.percent(50),
            });
        }
        if self.history && self.dice.percent(40) {
            tariff["reentry"] = json!({"within": self.dice.one_of(&[0, 15, 60, 300]), "mode": "continue"});
        }
        if self.dice.percent(8) {
            // A change of prices among the stays.
            let bound = self.dice.one_of(&["from", "to"]);
            let time = self.dice.one_of(&["", "T08:00", "T00:30", "T02:15"]);
            let date = self.focus.near(self.dice);
            tariff["valid"] = json!({bound: format!("{date}{time}")});
            tariff["version_at"] = self.dice.one_of(&["entry", "exit"]).into();
        }
        if self.dice.percent(30) {
            let rate_bp = self.dice.one_of(&[0, 333, 700, 1_900, 2_000, 525]);
            tariff["tax"] = json!({"rate_bp": rate_bp, "mode": self.dice.one_of(&["added", "added", "included"])});
        }
        if self.dice.percent(55) {
            let mode = self.dice.one_of(&["half_up", "half_even", "up", "down"]);
            tariff["round"] = json!({"to": self.dice.one_of(&[1, 2, 5, 10, 4, 50]), "mode": mode});
        }
    }

    fn plan(&mut self, place: i64, is_last: bool) -> Value {
        let edge = self
            .dice
            .one_of(&["split", "split", "split", "carry", "carry", "total"]);
        let bands = self.dice.one_of(&[1, 1, 2, 2, 3, 3, 4]);
        let bands: Vec<Value> = (0..bands)
            .map(|place| self.band(place, place + 1 == bands, edge))
            .collect();
        let mut plan = json!({"id": format!("p{place}"), "cycle": "stay", "edge": edge, "bands": bands});
        if self.dice.percent(if is_last { 15 } else { 75 }) {
            plan["if"] = self.condition();
        }
        if self.dice.percent(22) {
            plan["grace"] = json!({"minutes": self.duration()});
            if self.dice.percent(60) {
                plan["grace"]["strict"] = self.dice.percent(70).into();
            }
        }
        if self.dice.percent(22) {
            plan["free"] = json!({"minutes": self.duration()});
            if self.dice.percent(50) {
                plan["free"]["per"] = if self.history { "day" } else { "stay" }.into();
            }
        }
        if self.dice.percent(20) {
            plan["entry_fee"] = self.price().into();
        }
        if self.dice.percent(25) {
            plan["min"] = self.dice.one_of(&LIMITS).into();
        }
        if edge != "total" {
            match self.dice.below(10) {
                0..=2 => plan["cycle"] = json!({"every": self.long()}),
                3..=5 => plan["cycle"] = json!({"daily": self.focus.time(self.dice)}),
                _ => {}
            }
            let caps = self.dice.one_of(&[0, 0, 1, 1, 1, 2, 3]);
            let caps: Vec<Value> = (0..caps).map(|_| self.cap(bands.len())).collect();
            if !caps.is_empty() {
                plan["caps"] = caps.into();
            }
        }
        plan
    }

    fn band(&mut self, place: i64, is_last: bool, edge: &str) -> Value {
        let mut band = json!({"id": format!("b{place}"), "ladder": []});
        if self.dice.percent(if is_last { 45 } else { 92 }) {
            band["when"] = self.focus.whens(self.dice);
        }
        if self.dice.percent(40) {
            band["restart"] = self.dice.one_of(&["cycle", "cycle", "occurrence"]).into();
        }
        if self.dice.percent(10) {
            return band;
        }
        let steps = if edge == "total" {
            1
        } else {
            self.dice.one_of(&[1, 1, 2, 2, 3])
        };
        let ends = edge != "total" && self.dice.percent(30);
        let ladder: Vec<Value> = (1..=steps)
            .map(|place| self.step(place < steps || ends, edge == "total"))
            .collect();
        band["ladder"] = ladder.into();
        if ends && self.dice.percent(65) {
            band["loop"] = self.dice.below(steps).into();
        }
        band
    }

    fn step(&mut self, has_extent: bool, is_total: bool) -> Value {
        let mut step = json!({"unit": self.duration(), "price": self.price()});
        if !is_total && self.dice.percent(15) {
            step["unit"] = "all".into();
        } else if self.dice.percent(if self.history { 40 } else { 20 }) {
            // Few units divide the scale of both meters; what does not is refused by the parser.
            step["unit"] = self.dice.one_of(&[7, 11, 15, 25, 30, 60]).into();
            step["bill"] = self.dice.one_of(&[1, 2, 5, 7, 90]).into();
        } else if is_total {
            step["unit"] = self.dice.one_of(&[1, 7, 11, 15, 25, 30, 60, 45]).into();
        }
        if has_extent {
            step["for"] = self.duration();
        }
        step
    }

    fn cap(&mut self, bands: usize) -> Value {
        let mut limit = || self.dice.one_of(&LIMITS);
        let single = limit();
        let several = [limit(), limit(), limit()];
        let max = match self.dice.below(10) {
            0 => json!([several[0], several[1], several[2]]),
            1 => json!([several[0], null]),
            2 => json!([null, several[0]]),
            3 => json!([several[0], null, several[1]]),
            _ => json!(single),
        };
        let mut cap = json!({"max": max});
        let over = self.dice.below(9);
        cap["over"] = match over {
            0 => "stay".into(),
            1 => "cycle".into(),
            2 => "occurrence".into(),
            3 => json!({"every": self.long(), "anchor": "entry"}),
            4 => json!({"every": self.long()}),
            5 | 6 => json!({"every": self.long(), "anchor": "first"}),
            7 => json!({"daily": self.focus.time(self.dice)}),
            _ => {
                json!({"weekly": format!("{} {}", self.dice.one_of(&["mon", "sun", "wed", "fri"]), self.focus.time(self.dice))})
            }
        };
        if self.dice.percent(30) {
            let names: Vec<String> = (0..bands)
                .filter(|_| self.dice.percent(50))
                .map(|band| format!("b{band}"))
                .collect();
            if !names.is_empty() {
                cap["bands"] = json!(names);
            }
        }
        if self.dice.percent(18) {
            cap["if"] = self.condition();
        }
        if self.history && self.dice.percent(60) {
            if over < 5 || self.dice.percent(40) {
                cap["over"] = self.pool_over.clone();
                cap["pool"] = "shared".into();
            }
            cap["scope"] = "account".into();
        }
        cap
    }

    fn condition(&mut self) -> Value {
        let mut condition = json!({});
        if self.dice.percent(35) {
            let classes = [self.dice.one_of(&CLASSES), self.dice.one_of(&CLASSES)];
            condition["class"] = json!(classes);
        }
        if self.dice.percent(15) {
            condition["tag"] = self.dice.one_of(&TAGS).into();
        }
        if self.dice.percent(30) {
            condition["entry"] = self.focus.whens(self.dice);
        }
        if self.dice.percent(25) {
            condition["exit"] = self.focus.whens(self.dice);
        }
        if self.dice.percent(25) {
            let bound = self.dice.one_of(&["le", "lt", "ge", "gt"]);
            condition["minutes"] = json!({bound: self.dice.one_of(&[30, 60, 90, 240, 1_440])});
        }
        condition
    }
}
