//! Reads a tariff text in PTL/1 into the priced model, or says where it is wrong and what would be right.

use jiff::tz::TimeZoneDatabase;

use super::calendar::{Zone, DAY_S};
use super::canonical;
use super::compiled::CompiledPlan;
use super::error::{near, TariffError};
use super::lint::lints;
use super::model::{Choose, Clock, Direction, Leave, Rounding, RoundingMode, Tariff, Tax};
use super::parse_plan;
use super::parse_when::Dates;
use super::place::{Fields, Place, PLANS_MAX, PRICE_MINOR_MAX};
use super::sugar;
use super::template;
use super::terms::VoucherKind;
use super::text::{self, Node, TEXT_BYTES_MAX};
use super::validity::validity;

/// The fields of a tariff. `words` and `source` are for people: what the tariff says and where it is published.
const FIELDS: [&str; 19] = [
    "ptl",
    "id",
    "words",
    "source",
    "currency",
    "minor_exponent",
    "timezone",
    "clock",
    "dates",
    "plans",
    "choose",
    "round",
    "discount_order",
    "leave",
    "reentry",
    "tax",
    "valid",
    "version_at",
    "template",
];

impl Tariff {
    /// Parses a tariff text (YAML or JSON) that starts from no template.
    ///
    /// # Errors
    /// `tariff_syntax` when the text is not readable, `tariff_invalid` when it breaks a rule of the language.
    pub fn parse(text: &str) -> Result<Self, TariffError> {
        Self::parse_tree(template::write_out(text::read(text)?, None)?)
    }

    /// Parses a tariff text whose `template`, if it names one, is the tariff text that `template` gives for the name.
    ///
    /// # Errors
    /// As [`Tariff::parse`]; what is wrong in a template is told on the line that names it.
    pub fn parse_with(text: &str, template: &dyn Fn(&str) -> Option<String>) -> Result<Self, TariffError> {
        Self::parse_tree(template::write_out(text::read(text)?, Some(template))?)
    }

    fn parse_tree(written: Node) -> Result<Self, TariffError> {
        let root = sugar::write_out(written)?;
        let place = Place::root(&root);
        let fields = place.fields(&FIELDS)?;
        let ptl = fields.required("ptl")?;
        ptl.integer(1, 1)
            .map_err(|_| ptl.invalid("needs 1, the version of the language"))?;
        for comment in ["words", "source"] {
            fields.optional(comment).map(|place| place.text()).transpose()?;
        }
        let timezone = fields.required("timezone")?;
        let zone = zone(&timezone)?;
        let dates = fields
            .optional("dates")
            .map_or_else(|| Ok(Dates::default()), |place| Dates::read(&place))?;
        let plans_place = fields.required("plans")?;
        let id = fields.required("id")?.name()?;
        let plans = parse_plan::plans(
            &plans_place,
            PLANS_MAX,
            &parse_plan::Names {
                tariff_id: id,
                dates: &dates,
            },
        )?;
        let choose = fields.optional("choose").map_or(Ok(Choose::First), |place| {
            place.word(&[("first", Choose::First), ("lowest", Choose::Lowest)])
        })?;
        let canonical_json = canonical::json(&root);
        if canonical_json.len() > TEXT_BYTES_MAX {
            let bytes = canonical_json.len();
            return Err(place.invalid(format!(
                "written out, the tariff has {bytes} bytes; at most {TEXT_BYTES_MAX} are read"
            )));
        }
        Ok(Self {
            id: id.to_owned(),
            currency: currency(&fields.required("currency")?)?,
            minor_exponent: exponent(&fields.required("minor_exponent")?)?,
            timezone: timezone.text()?.to_owned(),
            validity: validity(&fields, &zone)?,
            zone,
            clock: clock(&fields)?,
            compiled: plans.iter().map(CompiledPlan::of).collect(),
            warnings: lints(&root, &plans, choose),
            plans,
            choose,
            rounding: rounding(&fields)?,
            discount_order: discount_order(&fields)?,
            leave: leave(&fields)?,
            reentry_within_s: reentry_within_s(&fields)?,
            tax: tax(&fields)?,
            sha256_hex: canonical::sha256_hex(&canonical_json),
            canonical_json,
        })
    }
}

fn zone(place: &Place<'_>) -> Result<Zone, TariffError> {
    let name = place.text()?;
    Zone::load(name).ok_or_else(|| {
        let known: Vec<String> = TimeZoneDatabase::bundled()
            .available()
            .map(|zone| zone.to_string())
            .collect();
        let same = known.iter().find(|zone| zone.eq_ignore_ascii_case(name));
        let near = same.map_or_else(
            || near(name, &known.iter().map(String::as_str).collect::<Vec<_>>()),
            |zone| format!(", did you mean `{zone}`?"),
        );
        let stop = if near.is_empty() { ";" } else { "" };
        place.invalid(format!(
            "is not a zone of the tz database{near}{stop} write it as in Asia/Shanghai"
        ))
    })
}

fn currency(place: &Place<'_>) -> Result<String, TariffError> {
    let text = place.text()?;
    if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
        Ok(text.to_owned())
    } else {
        Err(place.invalid("needs an ISO 4217 code such as CNY"))
    }
}

fn exponent(place: &Place<'_>) -> Result<u8, TariffError> {
    let digits = place.integer(0, 4)?;
    u8::try_from(digits).map_err(|_| place.invalid("needs a whole number from 0 to 4"))
}

fn clock(fields: &Fields<'_>) -> Result<Clock, TariffError> {
    let mut clock = Clock {
        step_s: 1,
        entry: Direction::Floor,
        exit: Direction::Floor,
    };
    let Some(place) = fields.optional("clock") else {
        return Ok(clock);
    };
    let parts = place.fields(&["step", "entry", "exit"])?;
    let words = [("floor", Direction::Floor), ("ceil", Direction::Ceil)];
    if let Some(step) = parts.optional("step") {
        clock.step_s = step.integer(1, 60)?;
        if clock.step_s != 1 && clock.step_s != 60 {
            return Err(step.invalid("needs 1 (seconds) or 60 (whole minutes)"));
        }
    }
    if let Some(entry) = parts.optional("entry") {
        clock.entry = entry.word(&words)?;
    }
    if let Some(exit) = parts.optional("exit") {
        clock.exit = exit.word(&words)?;
    }
    debug_assert_eq!(DAY_S.checked_rem(clock.step_s), Some(0));
    Ok(clock)
}

fn rounding(fields: &Fields<'_>) -> Result<Rounding, TariffError> {
    let mut rounding = Rounding {
        to_minor: 1,
        mode: RoundingMode::HalfUp,
    };
    let Some(place) = fields.optional("round") else {
        return Ok(rounding);
    };
    let parts = place.fields(&["to", "mode"])?;
    if let Some(to) = parts.optional("to") {
        rounding.to_minor = to.integer(1, PRICE_MINOR_MAX)?;
    }
    if let Some(mode) = parts.optional("mode") {
        rounding.mode = mode.word(&[
            ("half_up", RoundingMode::HalfUp),
            ("half_even", RoundingMode::HalfEven),
            ("up", RoundingMode::Up),
            ("down", RoundingMode::Down),
        ])?;
    }
    Ok(rounding)
}

fn discount_order(fields: &Fields<'_>) -> Result<[VoucherKind; 4], TariffError> {
    let Some(place) = fields.optional("discount_order") else {
        return Ok(VoucherKind::ALL);
    };
    let words = VoucherKind::ALL.map(|kind| (kind.name(), kind));
    let kinds = place
        .list(VoucherKind::ALL.len())?
        .iter()
        .map(|item| item.word(&words))
        .collect::<Result<Vec<_>, _>>()?;
    let complete = words.iter().all(|(_, kind)| kinds.contains(kind));
    match <[VoucherKind; 4]>::try_from(kinds) {
        Ok(order) if complete => Ok(order),
        _ => Err(place.invalid("names minutes, percent, amount and points, each once")),
    }
}

fn leave(fields: &Fields<'_>) -> Result<Leave, TariffError> {
    let Some(place) = fields.optional("leave") else {
        return Ok(Leave::default());
    };
    let parts = place.fields(&["minutes", "then", "plain"])?;
    Ok(Leave {
        within_s: parts.required("minutes")?.duration_s()?,
        restart: parts.required("then")?.word(&[("topup", false), ("restart", true)])?,
        plain: parts.optional("plain").map_or(Ok(false), |plain| plain.boolean())?,
    })
}

fn reentry_within_s(fields: &Fields<'_>) -> Result<Option<i64>, TariffError> {
    let Some(place) = fields.optional("reentry") else {
        return Ok(None);
    };
    let parts = place.fields(&["within", "mode"])?;
    parts.required("mode")?.word(&[("continue", ())])?;
    parts.required("within")?.duration_s().map(Some)
}

fn tax(fields: &Fields<'_>) -> Result<Option<Tax>, TariffError> {
    let Some(place) = fields.optional("tax") else {
        return Ok(None);
    };
    let parts = place.fields(&["rate_bp", "mode"])?;
    Ok(Some(Tax {
        rate_bp: parts.required("rate_bp")?.integer(0, 100_000)?,
        added: parts.required("mode")?.word(&[("added", true), ("included", false)])?,
    }))
}
