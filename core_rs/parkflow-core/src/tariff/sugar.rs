//! Short forms of plans, written out on the tree before anything is parsed or hashed: `like` with `factor_bp`, `table`,
//! `per_day_max`.
//!
//! Every value keeps the line of the text on which its author wrote it. What is malformed beside a short form is left for the
//! parser to refuse.

use super::error::{near, shown, TariffError};
use super::place::{Place, PLANS_MAX, STEPS_MAX};
use super::template::over;
use super::text::{Node, Value, TEXT_BYTES_MAX};

const FACTOR_ONE_BP: i128 = 10_000;
/// One hundred times.
const FACTOR_BP_MAX: i64 = 1_000_000;

/// The tree in the plain language.
pub(super) fn write_out(mut root: Node) -> Result<Node, TariffError> {
    let Some(Value::List(plans)) = root.get_mut("plans").map(|node| &mut node.value) else {
        return Ok(root);
    };
    if plans.len() > PLANS_MAX {
        return Ok(root);
    }
    let copies = Copies::new(plans);
    let mut written: Vec<Node> = copies.written()?;
    for (index, plan) in written.iter_mut().enumerate() {
        write_per_day_max(plan, index)?;
        write_tables(plan, index)?;
    }
    *plans = written;
    Ok(root)
}

/// Plans of which some are copies of others.
struct Copies<'a> {
    plans: &'a [Node],
    ids: Vec<Option<String>>,
}

/// Which plans are written out, and how many bytes may still be copied.
struct Progress {
    done: Vec<Option<Node>>,
    /// The plans whose copies are being made, outermost first.
    within: Vec<usize>,
    bytes_left: usize,
}

impl<'a> Copies<'a> {
    fn new(plans: &'a [Node]) -> Self {
        let ids = plans.iter().map(|plan| plan.text_at("id")).collect();
        Self { plans, ids }
    }

    fn written(&self) -> Result<Vec<Node>, TariffError> {
        let mut progress = Progress {
            done: vec![None; self.plans.len()],
            within: Vec::new(),
            bytes_left: TEXT_BYTES_MAX,
        };
        let mut all = Vec::with_capacity(self.plans.len());
        for index in 0..self.plans.len() {
            all.push(self.plan(index, &mut progress)?);
        }
        Ok(all)
    }

    fn plan(&self, index: usize, progress: &mut Progress) -> Result<Node, TariffError> {
        if let Some(plan) = progress.done.get(index).and_then(Option::as_ref) {
            return Ok(plan.clone());
        }
        let plan = self.plans.get(index).cloned().unwrap_or_default();
        let plan = match (plan.get("like").is_some(), plan.get("factor_bp")) {
            (true, _) => self.copy(index, plan, progress)?,
            (false, None) => plan,
            (false, Some(factor)) => {
                return Err(Place::at(factor, path(index, "factor_bp")).invalid("needs `like`, the plan to multiply"));
            }
        };
        if let Some(done) = progress.done.get_mut(index) {
            *done = Some(plan.clone());
        }
        Ok(plan)
    }

    /// The plan named by `like`, times the factor, under the plan's own fields.
    fn copy(&self, index: usize, mut own: Node, progress: &mut Progress) -> Result<Node, TariffError> {
        let like = own.take("like").unwrap_or_default();
        let place = Place::at(&like, path(index, "like"));
        let name = place.name()?;
        let other = self
            .ids
            .iter()
            .position(|id| id.as_deref() == Some(name))
            .ok_or_else(|| {
                let known: Vec<&str> = self.ids.iter().flatten().map(String::as_str).collect();
                place.invalid(format!("there is no plan `{}`{}", shown(name), near(name, &known)))
            })?;
        if progress.within.contains(&other) || other == index {
            return Err(place.invalid("the plans are like each other in a circle; write one of them out"));
        }
        progress.within.push(index);
        let mut base = self.plan(other, progress)?;
        progress.within.pop();
        progress.bytes_left = progress
            .bytes_left
            .checked_sub(base.bytes_min())
            .ok_or_else(|| place.invalid(format!("written out, the tariff has more than {TEXT_BYTES_MAX} bytes")))?;
        base.take("id");
        if let Some(factor) = own.take("factor_bp") {
            multiply(&mut base, &Place::at(&factor, path(index, "factor_bp")), name)?;
        }
        Ok(over(base, own))
    }
}

fn path(index: usize, field: &str) -> String {
    format!("plans[{index}].{field}")
}

/// Every amount of a plan times the factor, exactly.
fn multiply(plan: &mut Node, factor: &Place<'_>, name: &str) -> Result<(), TariffError> {
    let factor_bp = i128::from(factor.integer(0, FACTOR_BP_MAX)?);
    let scale = |amount: &mut Node, field: &str| {
        let Value::Integer(minor) = amount.value else {
            return Ok(());
        };
        let product = i128::from(minor).saturating_mul(factor_bp);
        let whole = product
            .checked_div(FACTOR_ONE_BP)
            .filter(|_| product.checked_rem(FACTOR_ONE_BP) == Some(0));
        let scaled = whole.and_then(|whole| i64::try_from(whole).ok()).ok_or_else(|| {
            factor.invalid(format!(
                "`{field}` of plan `{}` is {minor}; times {factor_bp}/10000 it is not a whole amount: choose another factor, or write \
                 this plan out",
                shown(name)
            ))
        })?;
        amount.value = Value::Integer(scaled);
        Ok(())
    };
    for field in ["entry_fee", "min", "per_day_max"] {
        if let Some(amount) = plan.get_mut(field) {
            scale(amount, field)?;
        }
    }
    for (index, cap) in plan.items_mut("caps").enumerate() {
        match cap.get_mut("max") {
            Some(Node {
                value: Value::List(limits),
                ..
            }) => {
                for limit in limits {
                    scale(limit, &format!("caps[{index}].max"))?;
                }
            }
            Some(limit) => scale(limit, &format!("caps[{index}].max"))?,
            None => {}
        }
    }
    for (index, band) in plan.items_mut("bands").enumerate() {
        for (row, step) in band.items_mut("ladder").enumerate() {
            if let Some(price) = step.get_mut("price") {
                scale(price, &format!("bands[{index}].ladder[{row}].price"))?;
            }
        }
        for (row, step) in band.items_mut("table").enumerate() {
            if let Value::List(pair) = &mut step.value {
                if let Some(price) = pair.get_mut(1) {
                    scale(price, &format!("bands[{index}].table[{row}]"))?;
                }
            }
        }
    }
    Ok(())
}

/// `per_day_max` becomes the last cap.
fn write_per_day_max(plan: &mut Node, index: usize) -> Result<(), TariffError> {
    let Some(amount) = plan.take("per_day_max") else {
        return Ok(());
    };
    Place::at(&amount, path(index, "per_day_max")).price_minor()?;
    let line = amount.line;
    let node = |value| Node { line, value };
    let midnight = node(Value::Text("00:00".to_owned()));
    let over = node(Value::Map(vec![("daily".to_owned(), midnight)]));
    let cap = node(Value::Map(vec![("max".to_owned(), amount), ("over".to_owned(), over)]));
    match plan.get_mut("caps").map(|caps| &mut caps.value) {
        Some(Value::List(caps)) => caps.push(cap),
        Some(_) => {}
        None => plan.put("caps", node(Value::List(vec![cap]))),
    }
    Ok(())
}

/// Each `table` becomes the head of its band's ladder.
fn write_tables(plan: &mut Node, index: usize) -> Result<(), TariffError> {
    for (number, band) in plan.items_mut("bands").enumerate() {
        let Some(table) = band.take("table") else {
            continue;
        };
        let mut steps = table_steps(&Place::at(&table, path(index, &format!("bands[{number}].table"))))?;
        match band.get_mut("ladder").map(|ladder| &mut ladder.value) {
            Some(Value::List(rest)) => {
                steps.append(rest);
                *rest = steps;
            }
            Some(_) => {}
            None => band.put(
                "ladder",
                Node {
                    line: table.line,
                    value: Value::List(steps),
                },
            ),
        }
    }
    Ok(())
}

/// Rows of (length up to and including, price so far) as steps of one unit each.
fn table_steps(table: &Place<'_>) -> Result<Vec<Node>, TariffError> {
    let mut steps = Vec::new();
    let (mut till_s, mut so_far_minor) = (0_i64, 0_i64);
    for row in table.list(STEPS_MAX)? {
        let shape = "needs a length of stay and the price up to it, such as [60, 140]";
        let pair = row.list(2).map_err(|_| row.invalid(shape))?;
        let [till, price] = pair.as_slice() else {
            return Err(row.invalid(shape));
        };
        let (next_s, next_minor) = (till.positive_duration_s()?, price.price_minor()?);
        let length_s = next_s.saturating_sub(till_s);
        if length_s <= 0 {
            return Err(till.invalid("is not longer than the row before; write the rows from short to long"));
        }
        if next_minor < so_far_minor {
            return Err(price.invalid(format!(
                "falls from {so_far_minor} to {next_minor}; a longer stay of a table never costs less"
            )));
        }
        let node = |value| Node {
            line: row.line(),
            value,
        };
        let length = || node(spelled(length_s));
        steps.push(node(Value::Map(vec![
            ("unit".to_owned(), length()),
            (
                "price".to_owned(),
                node(Value::Integer(next_minor.saturating_sub(so_far_minor))),
            ),
            ("for".to_owned(), length()),
        ])));
        (till_s, so_far_minor) = (next_s, next_minor);
    }
    if steps.is_empty() {
        return Err(table.invalid("is empty; give rows such as [60, 140]"));
    }
    Ok(steps)
}

/// Whole minutes as a number, others as text in seconds.
fn spelled(length_s: i64) -> Value {
    match (length_s.checked_rem(60), length_s.checked_div(60)) {
        (Some(0), Some(minutes)) => Value::Integer(minutes),
        _ => Value::Text(format!("{length_s}s")),
    }
}
