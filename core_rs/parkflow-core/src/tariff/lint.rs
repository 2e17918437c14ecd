//! Warnings about a tariff that is valid and may still not be what its author means. They never refuse anything.

use std::collections::BTreeSet;

use super::calendar::DAY_S;
use super::error::{join, shown};
use super::lint_days::{day_lints, Budget};
use super::model::{Band, Cap, Choose, Comparison, Condition, Cycle, Over, Plan, Restart, Tariff, When};
use super::text::{Node, Value};

/// A warning about a tariff text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lint {
    /// The stable name of the rule, such as `free_gap`.
    pub code: &'static str,
    /// The field, such as `plans[0].bands[1]`.
    pub path: String,
    /// The line of the text, from 1.
    pub line: usize,
    /// What is noticed and what would silence it.
    pub message: String,
}

impl Tariff {
    /// What the tariff's author may want to look at again, in the order of the text's plans.
    #[must_use]
    pub fn warnings(&self) -> &[Lint] {
        &self.warnings
    }
}

/// One step of a way through the text.
#[derive(Clone, Copy)]
pub(super) enum Step<'a> {
    Field(&'a str),
    Item(usize),
}

/// The warnings found so far, and the text they speak of.
pub(super) struct Findings<'a> {
    root: &'a Node,
    lints: Vec<Lint>,
}

impl Findings<'_> {
    /// Adds a warning about the place at the end of a way from the root.
    pub fn add(&mut self, code: &'static str, way: &[Step<'_>], message: String) {
        let (mut node, mut path) = (self.root, String::new());
        for step in way {
            let next = match step {
                Step::Field(name) => {
                    path = join(&path, name);
                    node.get(name)
                }
                Step::Item(index) => {
                    path = format!("{path}[{index}]");
                    match &node.value {
                        Value::List(items) => items.get(*index),
                        _ => None,
                    }
                }
            };
            node = next.unwrap_or(node);
        }
        self.lints.push(Lint {
            code,
            path,
            line: node.line,
            message,
        });
    }
}

/// All warnings about a tariff whose text, written out, is `root`.
pub(super) fn lints(root: &Node, plans: &[Plan], choose: Choose) -> Vec<Lint> {
    let mut findings = Findings {
        root,
        lints: Vec::new(),
    };
    let mut budget = Budget::default();
    for (index, plan) in plans.iter().enumerate() {
        if choose == Choose::First {
            unreachable_plan(&mut findings, plans, index, plan);
        }
        day_lints(&mut findings, &mut budget, index, plan);
        for (number, band) in plan.bands.iter().enumerate() {
            ladder_end(&mut findings, index, plan, number, band);
        }
        caps(&mut findings, index, plan);
    }
    class_without_plan(&mut findings, plans);
    unused_dates(&mut findings);
    findings.lints
}

fn unreachable_plan(findings: &mut Findings<'_>, plans: &[Plan], index: usize, plan: &Plan) {
    let earlier = plans.iter().take(index);
    if let Some(winner) = earlier
        .into_iter()
        .find(|other| implies(&plan.condition, &other.condition))
    {
        let message = format!(
            "no stay gets plan `{}`: under `choose: first` plan `{}` comes before it and applies whenever it would; move it up",
            shown(&plan.id),
            shown(&winner.id)
        );
        findings.add("unreachable_plan", &[Step::Field("plans"), Step::Item(index)], message);
    }
}

/// Whether every stay of which `narrow` holds is one of which `wide` holds; false when that is not plain to see.
fn implies(narrow: &Condition, wide: &Condition) -> bool {
    let any_of = |narrow: &[String], wide: &[String]| {
        wide.is_empty() || (!narrow.is_empty() && narrow.iter().all(|name| wide.contains(name)))
    };
    let during = |narrow: &[When], wide: &[When]| wide.is_empty() || narrow == wide;
    any_of(&narrow.classes, &wide.classes)
        && any_of(&narrow.tags, &wide.tags)
        && during(&narrow.entry, &wide.entry)
        && during(&narrow.exit, &wide.exit)
        && wide.lengths.iter().all(|bound| narrow.lengths.contains(bound))
}

fn ladder_end(findings: &mut Findings<'_>, index: usize, plan: &Plan, number: usize, band: &Band) {
    let Some(end_s) = band.ladder.last().map(|step| step.to_s) else {
        return;
    };
    if end_s == i64::MAX || band.loop_from.is_some() || walk_seconds_max(plan, band) <= end_s {
        return;
    }
    let message = format!(
        "after {} the ladder ends and the rest is free; give it a last step without `for`, a `loop`, or {{unit: all, price: 0}} \
         if that is meant",
        length_text(end_s)
    );
    let way = [
        Step::Field("plans"),
        Step::Item(index),
        Step::Field("bands"),
        Step::Item(number),
        Step::Field("ladder"),
    ];
    findings.add("ladder_end", &way, message);
}

/// The longest way that a ladder can be walked before it starts again, as far as that is plain to see.
fn walk_seconds_max(plan: &Plan, band: &Band) -> i64 {
    // A day on which clocks are set back by an hour.
    let long_day_s = DAY_S.saturating_add(3_600);
    let cycle_s = match plan.cycle {
        Cycle::Stay => i64::MAX,
        Cycle::Every(length_s) => length_s,
        Cycle::Daily(_) => long_day_s,
    };
    let occurrence_s = match (band.restart, band.when.as_slice()) {
        (Restart::Occurrence, [when]) if is_part_of_day(when) => window_s(when).saturating_add(3_600),
        _ => i64::MAX,
    };
    let stay_s = plan
        .condition
        .lengths
        .iter()
        .filter(|(comparison, _)| matches!(comparison, Comparison::Less | Comparison::LessOrEqual))
        .map(|(_, bound_s)| *bound_s)
        .min()
        .unwrap_or(i64::MAX);
    cycle_s.min(occurrence_s).min(stay_s)
}

fn is_part_of_day(when: &When) -> bool {
    window_s(when) < DAY_S
}

fn window_s(when: &When) -> i64 {
    let length_s = when.to_s.saturating_sub(when.from_s);
    if length_s > 0 {
        length_s
    } else {
        length_s.saturating_add(DAY_S)
    }
}

/// `1 d 2 h 30 min`.
fn length_text(length_s: i64) -> String {
    let mut left_s = length_s;
    let mut parts: Vec<String> = Vec::new();
    for (unit_s, name) in [(DAY_S, "d"), (3_600, "h"), (60, "min"), (1, "s")] {
        if let (Some(count @ 1..), Some(rest_s)) = (left_s.checked_div(unit_s), left_s.checked_rem(unit_s)) {
            parts.push(format!("{count} {name}"));
            left_s = rest_s;
        }
    }
    parts.join(" ")
}

fn caps(findings: &mut Findings<'_>, index: usize, plan: &Plan) {
    for (number, cap) in plan.caps.iter().enumerate() {
        let way = [
            Step::Field("plans"),
            Step::Item(index),
            Step::Field("caps"),
            Step::Item(number),
        ];
        if cap.max_scaled.iter().all(|max| *max == Some(0)) {
            let message = "a cap of 0 makes everything free that it counts; remove it, or use a band with `ladder: []`";
            findings.add("zero_cap", &way, message.to_owned());
        }
        let mut earlier = plan.caps.iter().take(number).enumerate();
        if let Some((outer, _)) = earlier.clone().find(|(_, other)| is_inside(plan, cap, other)) {
            let message = format!(
                "its window lies inside the one of caps[{outer}], which is applied first; list inner caps before outer ones"
            );
            findings.add("cap_order", &way, message);
        }
        if let Some((lower, _)) = earlier.find(|(_, other)| is_spent_by(cap, other)) {
            let message =
                format!("caps[{lower}] has the same window and no higher limit, so this cap never acts; remove it");
            findings.add("cap_never_reached", &way, message);
        }
    }
}

/// Whether a cap has clearly shorter windows than another one that counts some of the same items of the same stays.
fn is_inside(plan: &Plan, cap: &Cap, other: &Cap) -> bool {
    let share = |left: &[usize], right: &[usize]| {
        left.is_empty() || right.is_empty() || left.iter().any(|band| right.contains(band))
    };
    let anything = Condition::default();
    let together = cap.condition == other.condition || cap.condition == anything || other.condition == anything;
    together
        && share(&cap.bands, &other.bands)
        && seconds_of(plan, cap)
            .is_some_and(|(_, most_s)| seconds_of(plan, other).is_some_and(|(least_s, _)| most_s < least_s))
}

/// The shortest and the longest that a window of a cap is meant to be; `None` when nothing can be said.
fn seconds_of(plan: &Plan, cap: &Cap) -> Option<(i64, i64)> {
    let exactly = |length_s: i64| Some((length_s, length_s));
    let cycle = match plan.cycle {
        Cycle::Stay => (i64::MAX, i64::MAX),
        Cycle::Every(length_s) => (length_s, length_s),
        Cycle::Daily(_) => (DAY_S, DAY_S),
    };
    match cap.over {
        Over::Stay => exactly(i64::MAX),
        Over::Cycle => Some(cycle),
        Over::EveryFromEntry(length_s) | Over::EveryFromFirst(length_s) => exactly(length_s),
        Over::Daily(_) => exactly(DAY_S),
        Over::Weekly { .. } => exactly(DAY_S.saturating_mul(7)),
        Over::Occurrence => {
            let counted = |number: &usize| cap.bands.is_empty() || cap.bands.contains(number);
            let mut bands = plan.bands.iter().enumerate().filter(|(number, _)| counted(number));
            let short = bands.all(|(_, band)| matches!(band.when.as_slice(), [when] if is_part_of_day(when)));
            short.then_some((0, DAY_S.saturating_sub(1)))
        }
    }
}

/// Whether an earlier cap leaves nothing that this one could take away.
fn is_spent_by(cap: &Cap, earlier: &Cap) -> bool {
    let no_higher = |lower: &Option<i128>, upper: &Option<i128>| match (lower, upper) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(lower), Some(upper)) => lower <= upper,
    };
    cap.over == earlier.over
        && cap.bands == earlier.bands
        && cap.account_key.is_none()
        && earlier.account_key.is_none()
        && (earlier.condition == Condition::default() || earlier.condition == cap.condition)
        && cap.max_scaled.len() == earlier.max_scaled.len()
        && earlier
            .max_scaled
            .iter()
            .zip(&cap.max_scaled)
            .all(|(lower, upper)| no_higher(lower, upper))
}

/// Classes that only some plans name, and stays that no plan is for.
fn class_without_plan(findings: &mut Findings<'_>, plans: &[Plan]) {
    let usual = |plan: &&Plan| plan.condition.tags.is_empty();
    let named: BTreeSet<&str> = plans
        .iter()
        .flat_map(|plan| plan.condition.classes.iter().map(String::as_str))
        .collect();
    if named.is_empty() || plans.iter().filter(usual).any(|plan| plan.condition.classes.is_empty()) {
        return;
    }
    let has_plan = |name: &&str| {
        let mut usual = plans.iter().filter(usual);
        usual.any(|plan| plan.condition.classes.iter().any(|class| class == name))
    };
    let (with, without): (Vec<&str>, Vec<&str>) = named.into_iter().partition(|name| has_plan(name));
    let list = |names: &[&str]| names.iter().map(|name| shown(name)).collect::<Vec<_>>().join(", ");
    let way = [Step::Field("plans")];
    if !without.is_empty() {
        let message = format!(
            "class {} has plans with a `tag` only; its other stays are refused",
            list(&without)
        );
        findings.add("class_without_plan", &way, message);
    }
    if !with.is_empty() {
        let message = format!(
            "there are plans for class {}; stays of another class, or of none, are refused unless a last plan has no `class`",
            list(&with)
        );
        findings.add("class_without_plan", &way, message);
    }
}

fn unused_dates(findings: &mut Findings<'_>) {
    let Some(Value::Map(sets)) = findings.root.get("dates").map(|dates| &dates.value) else {
        return;
    };
    let mut used = BTreeSet::new();
    day_words(findings.root, &mut used);
    for (name, _) in sets {
        if !used.contains(name.as_str()) {
            let message = format!(
                "no `days` names {0} or \"!{0}\"; remove it if it is not needed",
                shown(name)
            );
            findings.add("unused_dates", &[Step::Field("dates"), Step::Field(name)], message);
        }
    }
}

/// The words of all `days`, without their `!`.
fn day_words<'a>(node: &'a Node, used: &mut BTreeSet<&'a str>) {
    match &node.value {
        Value::Map(entries) => {
            for (name, below) in entries {
                match &below.value {
                    Value::List(words) if name == "days" => words.iter().for_each(|word| note_word(word, used)),
                    _ if name == "days" => note_word(below, used),
                    _ => day_words(below, used),
                }
            }
        }
        Value::List(items) => items.iter().for_each(|item| day_words(item, used)),
        _ => {}
    }
}

fn note_word<'a>(node: &'a Node, used: &mut BTreeSet<&'a str>) {
    if let Value::Text(word) = &node.value {
        used.insert(word.strip_prefix('!').unwrap_or(word));
    }
}
