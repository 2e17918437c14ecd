//! Reads plans: bands with their ladders, cycles, caps, and the number that makes every `bill` an integer.

use super::calendar::DAY_S;
use super::error::{shown, TariffError};
use super::model::{Band, Cap, Condition, Cycle, Edge, Free, Grace, Length, Over, Plan, Restart, Step};
use super::parse_when::{condition, time_of_day_s, weekday_and_time, whens, Dates};
use super::place::{Fields, Place, DURATION_SECONDS_MAX, STEPS_MAX};

const BANDS_MAX: usize = 64;
const CAPS_MAX: usize = 16;
const WINDOW_LIMITS_MAX: usize = 400;
/// With prices up to 10^12 and units up to 4 * 10^8 seconds no product leaves 128 bits.
const SCALE_MAX: i128 = 1_000_000_000;

/// What the plans of a tariff refer to.
pub(super) struct Names<'a> {
    pub tariff_id: &'a str,
    pub dates: &'a Dates,
}

/// The plans of a tariff, in order.
pub(super) fn plans(place: &Place<'_>, plans_max: usize, names: &Names<'_>) -> Result<Vec<Plan>, TariffError> {
    let mut plans: Vec<Plan> = Vec::new();
    for item in place.list(plans_max)? {
        let plan = plan(&item, names)?;
        if plans.iter().any(|other| other.id == plan.id) {
            return Err(item.invalid(format!("a second plan `{}`; give each its own id", shown(&plan.id))));
        }
        plans.push(plan);
    }
    if plans.is_empty() {
        return Err(place.invalid("is empty; a tariff has at least one plan"));
    }
    Ok(plans)
}

fn plan(place: &Place<'_>, names: &Names<'_>) -> Result<Plan, TariffError> {
    let dates = names.dates;
    let fields = place.fields(&[
        "id",
        "if",
        "grace",
        "free",
        "entry_fee",
        "cycle",
        "edge",
        "bands",
        "caps",
        "min",
        // Short forms: written out before, named here for who misspells them.
        "like",
        "factor_bp",
        "per_day_max",
    ])?;
    let edge =
        fields
            .required("edge")?
            .word(&[("split", Edge::Split), ("carry", Edge::Carry), ("total", Edge::Total)])?;
    let drafts = band_drafts(&fields.required("bands")?, dates)?;
    let scale = scale(place, &drafts, edge)?;
    let mut bands: Vec<Band> = Vec::new();
    for draft in drafts {
        bands.push(draft.scaled(scale));
    }
    let mut plan = Plan {
        id: fields.required("id")?.name()?.to_owned(),
        condition: optional_condition(&fields, dates)?,
        grace: fields.optional("grace").map(|place| grace(&place)).transpose()?,
        free: fields
            .optional("free")
            .map_or_else(|| Ok(Free::default()), |place| free(&place))?,
        cycle: cycle(&fields.required("cycle")?)?,
        edge,
        bands,
        caps: Vec::new(),
        scale,
        entry_fee_scaled: scaled_price(&fields, "entry_fee", scale)?,
        min_scaled: scaled_price(&fields, "min", scale)?,
    };
    if let Some(caps) = fields.optional("caps") {
        for item in caps.list(CAPS_MAX)? {
            plan.caps.push(cap(&item, &plan, names)?);
        }
    }
    if edge == Edge::Total {
        check_total(place, &plan)?;
    }
    Ok(plan)
}

fn optional_condition(fields: &Fields<'_>, dates: &Dates) -> Result<Condition, TariffError> {
    fields
        .optional("if")
        .map_or_else(|| Ok(Condition::default()), |place| condition(&place, dates))
}

fn scaled_price(fields: &Fields<'_>, name: &str, scale: i128) -> Result<i128, TariffError> {
    let price_minor = fields.optional(name).map_or(Ok(0), |place| place.price_minor())?;
    Ok(i128::from(price_minor).saturating_mul(scale))
}

fn grace(place: &Place<'_>) -> Result<Grace, TariffError> {
    let fields = place.fields(&["minutes", "strict"])?;
    Ok(Grace {
        seconds: fields.required("minutes")?.duration_s()?,
        strict: fields.optional("strict").map_or(Ok(false), |place| place.boolean())?,
    })
}

fn free(place: &Place<'_>) -> Result<Free, TariffError> {
    let fields = place.fields(&["minutes", "per"])?;
    Ok(Free {
        seconds: fields.required("minutes")?.duration_s()?,
        per_day: fields
            .optional("per")
            .map_or(Ok(false), |per| per.word(&[("stay", false), ("day", true)]))?,
    })
}

fn cycle(place: &Place<'_>) -> Result<Cycle, TariffError> {
    if !place.is_map() {
        return place.word(&[("stay", Cycle::Stay)]);
    }
    let fields = place.fields(&["every", "daily"])?;
    match (fields.optional("every"), fields.optional("daily")) {
        (Some(every), None) => Ok(Cycle::Every(every.positive_duration_s()?)),
        (None, Some(daily)) => Ok(Cycle::Daily(day_turn_s(&daily)?)),
        _ => Err(place.invalid("needs stay, {every: minutes} or {daily: \"HH:MM\"}")),
    }
}

fn day_turn_s(place: &Place<'_>) -> Result<i64, TariffError> {
    match time_of_day_s(place)? {
        DAY_S => Err(place.invalid("a day cannot turn at 24:00; write \"00:00\"")),
        turn_s => Ok(turn_s),
    }
}

/// A band whose prices are not scaled yet.
struct BandDraft {
    band: Band,
    prices: Vec<StepPrice>,
}

struct StepPrice {
    price_minor: i64,
    unit_s: i64,
    billed_s: i64,
}

impl BandDraft {
    fn scaled(self, scale: i128) -> Band {
        let mut band = self.band;
        for (step, price) in band.ladder.iter_mut().zip(&self.prices) {
            let numerator = i128::from(price.price_minor).saturating_mul(i128::from(price.billed_s));
            step.amount_scaled = numerator
                .saturating_mul(scale)
                .checked_div(i128::from(price.unit_s))
                .unwrap_or(0);
        }
        band
    }
}

fn band_drafts(place: &Place<'_>, dates: &Dates) -> Result<Vec<BandDraft>, TariffError> {
    let mut drafts: Vec<BandDraft> = Vec::new();
    for item in place.list(BANDS_MAX)? {
        let draft = band_draft(&item, dates)?;
        if drafts.iter().any(|other| other.band.id == draft.band.id) {
            return Err(item.invalid(format!(
                "a second band `{}`; give each its own id",
                shown(&draft.band.id)
            )));
        }
        drafts.push(draft);
    }
    if drafts.is_empty() {
        return Err(place.invalid("is empty; a plan has at least one band"));
    }
    Ok(drafts)
}

fn band_draft(place: &Place<'_>, dates: &Dates) -> Result<BandDraft, TariffError> {
    let fields = place.fields(&["id", "when", "ladder", "table", "loop", "restart"])?;
    let mut ladder = Vec::new();
    let mut prices = Vec::new();
    let mut from_s = 0_i64;
    let items = fields.required("ladder")?.list(STEPS_MAX)?;
    for item in &items {
        if from_s == i64::MAX {
            return Err(item.invalid("comes after a step without `for`, which never ends; give that step a `for`"));
        }
        let (step, price) = step(item, from_s)?;
        from_s = step.to_s;
        ladder.push(step);
        prices.push(price);
    }
    let loop_from = match fields.optional("loop") {
        None => None,
        Some(place) if ladder.is_empty() || from_s == i64::MAX => {
            return Err(place.invalid("needs a ladder whose last step has a `for`"));
        }
        Some(place) => {
            let last = i64::try_from(ladder.len()).unwrap_or(i64::MAX).saturating_sub(1);
            usize::try_from(place.integer(0, last)?).ok()
        }
    };
    let restart = fields.optional("restart").map_or(Ok(Restart::Occurrence), |place| {
        place.word(&[("occurrence", Restart::Occurrence), ("cycle", Restart::Cycle)])
    })?;
    let when = fields
        .optional("when")
        .map_or_else(|| Ok(Vec::new()), |place| whens(&place, dates))?;
    let id = fields.required("id")?.name()?.to_owned();
    Ok(BandDraft {
        band: Band {
            id,
            when,
            ladder,
            loop_from,
            restart,
        },
        prices,
    })
}

fn step(place: &Place<'_>, from_s: i64) -> Result<(Step, StepPrice), TariffError> {
    let fields = place.fields(&["unit", "price", "for", "bill"])?;
    let unit = fields.required("unit")?;
    let whole = unit.text().is_ok_and(|text| text == "all");
    let unit_s = if whole {
        DURATION_SECONDS_MAX
    } else {
        unit.positive_duration_s()?
    };
    let billed_s = match fields.optional("bill") {
        None => unit_s,
        Some(bill) if whole => return Err(bill.invalid("cannot stand beside `unit: all`")),
        Some(bill) => bill.positive_duration_s()?,
    };
    let to_s = match fields.optional("for") {
        None => i64::MAX,
        Some(extent) => from_s.saturating_add(extent.positive_duration_s()?),
    };
    let price_minor = fields.required("price")?.price_minor()?;
    let length = if whole { Length::All } else { Length::Seconds(billed_s) };
    Ok((
        Step {
            length,
            amount_scaled: 0,
            from_s,
            to_s,
        },
        StepPrice {
            price_minor,
            unit_s,
            billed_s,
        },
    ))
}

/// The smallest number that makes price * bill / unit an integer for every step (and price / unit, for `total`).
fn scale(place: &Place<'_>, drafts: &[BandDraft], edge: Edge) -> Result<i128, TariffError> {
    let mut scale = 1_i128;
    for price in drafts.iter().flat_map(|draft| &draft.prices) {
        let billed_s = if edge == Edge::Total { 1 } else { price.billed_s };
        let numerator = i128::from(price.price_minor).saturating_mul(i128::from(billed_s));
        let unit_s = i128::from(price.unit_s);
        let denominator = unit_s.checked_div(greatest_divisor(numerator, unit_s)).unwrap_or(1);
        let shared = greatest_divisor(scale, denominator);
        scale = scale.checked_div(shared).unwrap_or(1).saturating_mul(denominator);
        if scale > SCALE_MAX {
            return Err(place.invalid("the units and `bill`s have no small common divisor; choose rounder lengths"));
        }
    }
    Ok(scale)
}

pub(super) fn greatest_divisor(left: i128, right: i128) -> i128 {
    let (mut left, mut right) = (left, right);
    while let Some(rest) = left.checked_rem(right) {
        (left, right) = (right, rest);
    }
    left
}

fn cap(place: &Place<'_>, plan: &Plan, names: &Names<'_>) -> Result<Cap, TariffError> {
    let fields = place.fields(&["max", "over", "bands", "if", "scope", "pool"])?;
    let limits = fields.required("max")?.one_or_list(WINDOW_LIMITS_MAX)?;
    let max_scaled: Vec<Option<i128>> = limits
        .iter()
        .map(|limit| {
            if limit.is_null() {
                return Ok(None);
            }
            Ok(Some(i128::from(limit.price_minor()?).saturating_mul(plan.scale)))
        })
        .collect::<Result<_, TariffError>>()?;
    if max_scaled.is_empty() {
        return Err(place.invalid("`max` is empty; give an amount"));
    }
    let mut bands = Vec::new();
    if let Some(names) = fields.optional("bands") {
        for name in names.one_or_list(BANDS_MAX)? {
            let text = name.text()?;
            let index = plan.bands.iter().position(|band| band.id == text);
            bands.push(index.ok_or_else(|| name.invalid(format!("`{}` is not a band of this plan", shown(text))))?);
        }
        if bands.is_empty() {
            return Err(names.invalid("is an empty list; remove it to mean all bands"));
        }
    }
    let over = over(&fields.required("over")?)?;
    Ok(Cap {
        max_scaled,
        over,
        bands,
        condition: optional_condition(&fields, names.dates)?,
        account_key: account_key(&fields, over, plan, names)?,
    })
}

/// A cap over the stays of an account: its windows must mean the same for every stay.
fn account_key(fields: &Fields<'_>, over: Over, plan: &Plan, names: &Names<'_>) -> Result<Option<String>, TariffError> {
    let pool = fields.optional("pool");
    let scope = fields.optional("scope");
    let shared = scope
        .as_ref()
        .map_or(Ok(false), |place| place.word(&[("stay", false), ("account", true)]))?;
    match (shared, scope.or_else(|| pool.clone())) {
        (true, Some(place)) => {
            if matches!(
                over,
                Over::Stay | Over::Cycle | Over::Occurrence | Over::EveryFromEntry(_)
            ) {
                return Err(
                    place.invalid("needs a window that stays share: {every, anchor: first}, {daily} or {weekly}")
                );
            }
            let own = format!("{}/{}/{}", names.tariff_id, plan.id, plan.caps.len());
            Ok(Some(pool.map_or(Ok(own), |place| {
                place.name().map(|name| format!("pool/{name}"))
            })?))
        }
        (_, Some(place)) if pool.is_some() => Err(place.invalid("`pool` needs `scope: account`")),
        _ => Ok(None),
    }
}

fn over(place: &Place<'_>) -> Result<Over, TariffError> {
    if !place.is_map() {
        return place.word(&[
            ("stay", Over::Stay),
            ("cycle", Over::Cycle),
            ("occurrence", Over::Occurrence),
        ]);
    }
    let fields = place.fields(&["every", "anchor", "daily", "weekly"])?;
    let (every, anchor) = (fields.optional("every"), fields.optional("anchor"));
    match (every, fields.optional("daily"), fields.optional("weekly")) {
        (Some(every), None, None) => {
            let length_s = every.positive_duration_s()?;
            let from_entry = Over::EveryFromEntry(length_s);
            let words = [("entry", from_entry), ("first", Over::EveryFromFirst(length_s))];
            anchor.map_or(Ok(from_entry), |anchor| anchor.word(&words))
        }
        (None, Some(daily), None) if anchor.is_none() => Ok(Over::Daily(day_turn_s(&daily)?)),
        (None, None, Some(weekly)) if anchor.is_none() => {
            let (weekday, turn_s) = weekday_and_time(&weekly)?;
            Ok(Over::Weekly { weekday, turn_s })
        }
        _ => Err(place.invalid("needs stay, cycle, occurrence, {every, anchor}, {daily} or {weekly}")),
    }
}

/// `total` sums paid seconds over the whole stay, so nothing may divide it.
fn check_total(place: &Place<'_>, plan: &Plan) -> Result<(), TariffError> {
    let simple = |band: &Band| match band.ladder.as_slice() {
        [] => true,
        [step] => step.to_s == i64::MAX && step.length != Length::All,
        _ => false,
    };
    if plan.cycle != Cycle::Stay || !plan.caps.is_empty() || !plan.bands.iter().all(simple) {
        return Err(place.invalid("`edge: total` needs `cycle: stay`, no caps, and ladders of one endless step"));
    }
    Ok(())
}
