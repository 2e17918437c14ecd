//! A slow meter that looks at every tick of a stay, written from the language's description alone: the oracle of the fast one.
//!
//! It shares nothing with the engine but the types of its questions: it reads the JSON text itself, asks `jiff` for the local
//! time tick by tick, charges unit by unit and applies caps item by item.

pub mod caps;
pub mod feature;
pub mod local;
pub mod misreading;
pub mod read;
pub mod walk;

use std::collections::HashMap;

use parkflow_core::tariff::{Stay, Terms, Voucher, VoucherKind};
use serde_json::Value;

use caps::Used;
use feature::{Feature, Seen};
use local::{LocalClock, Reading, When};
use misreading::Misreading;
use read::{finer, Condition, Plan, Sheet, Span, SCALE};
use walk::{Time, Walk};

/// Why a stay has no fee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    ExitBeforeEntry,
    OutsideValidity,
    NoPlan,
}

#[derive(Debug, Clone, Copy)]
struct Chain {
    entry_s: i64,
    exit_s: i64,
    charged: i128,
}

/// What earlier stays of an account have used.
#[derive(Debug, Clone, Default)]
pub struct Account {
    caps: HashMap<String, Used>,
    free_s: HashMap<i64, i64>,
    chain: Option<Chain>,
}

pub struct Oracle {
    sheet: Sheet,
    misreading: Option<Misreading>,
    pub seen: Seen,
}

/// A stay under one plan: the exact fee and what the account has used after it.
struct Outcome {
    fee: i128,
    account: Account,
}

/// One question about a plan.
#[derive(Clone, Copy)]
struct Question<'a> {
    stay: Stay<'a>,
    covered: &'a [(i64, i64)],
    voucher_s: i64,
    plain: bool,
    account: &'a Account,
}

fn half_up(amount: i128, per: i128) -> i128 {
    (2 * amount + per).div_euclid(2 * per)
}

impl Oracle {
    pub fn new(tariff: &Value, misreading: Option<Misreading>) -> Self {
        Self {
            sheet: Sheet::read(tariff),
            misreading,
            seen: Seen::default(),
        }
    }

    fn misread(&self, misreading: Misreading) -> bool {
        self.misreading == Some(misreading)
    }

    fn reading(&self) -> Reading<'_> {
        Reading {
            misreading: self.misreading,
            seen: &self.seen,
        }
    }

    /// S2.
    fn round_instant(&self, at_s: i64, up: bool) -> i64 {
        let step_s = if self.misread(Misreading::ClockNotRounded) {
            1
        } else {
            self.sheet.step_s
        };
        let rounded = (at_s + if up { step_s - 1 } else { 0 }).div_euclid(step_s) * step_s;
        self.seen.effect_if(rounded != at_s, Feature::ClockMinute);
        self.seen.effect_if(rounded > at_s, Feature::ClockCeil);
        rounded
    }

    /// What is due for the next stay of an account (S17 and S18 around S2 to S16).
    pub fn settle(&self, stay: &Stay<'_>, terms: &Terms<'_>, account: &mut Account) -> Result<i64, Refused> {
        let entry_s = self.round_instant(stay.entry_s, self.sheet.entry_up);
        let exit_s = self.round_instant(stay.exit_s, self.sheet.exit_up);
        if entry_s > exit_s {
            return Err(Refused::ExitBeforeEntry);
        }
        if !self.is_valid(entry_s, exit_s) {
            return Err(Refused::OutsideValidity);
        }
        let chain = self.chain(account, entry_s, exit_s);
        let paid: i128 = terms.paid.iter().map(|payment| i128::from(payment.amount_minor)).sum();
        let last_paid_s = terms.paid.iter().map(|payment| payment.at_s).max();
        let afresh = last_paid_s.filter(|_| self.sheet.leave.restart);
        let from_s = match afresh {
            Some(paid_s) => {
                let inside_s = paid_s.clamp(entry_s, exit_s);
                self.round_instant(inside_s, self.sheet.entry_up).min(exit_s)
            }
            None => chain.entry_s,
        };
        // What the vouchers were worth was taken off what is paid already.
        let vouchers = if afresh.is_some() { &[] } else { terms.vouchers };
        let minutes = vouchers.iter().filter(|voucher| voucher.kind == VoucherKind::Minutes);
        let question = Question {
            stay: Stay {
                entry_s: from_s,
                exit_s,
                ..*stay
            },
            covered: terms.covered,
            voucher_s: minutes.map(|voucher| voucher.value * 60).sum(),
            plain: afresh.is_some() && self.sheet.leave.plain && !self.misread(Misreading::PlainForgotten),
            account,
        };
        let outcome = self.cheapest(&question)?;
        let total = self.with_tax(self.discounted(self.rounded(outcome.fee), vouchers, terms.vouchers_as_given));
        let strict = self.misread(Misreading::LeaveBoundStrict);
        let in_time = |paid_s: i64| exit_s - paid_s < self.sheet.leave.within_s + i64::from(!strict);
        let due = if last_paid_s.is_some_and(in_time) {
            self.seen.effect_if(total > paid, Feature::LeftInTime);
            0
        } else if afresh.is_some() {
            self.seen.effect_if(total > 0, Feature::PaidRestart);
            self.seen
                .effect_if(total > 0 && self.sheet.leave.plain, Feature::PaidPlain);
            total
        } else {
            self.seen.effect_if(paid > 0 && total > paid, Feature::PaidTopup);
            (total - chain.charged - paid).max(0)
        };
        *account = outcome.account;
        account.chain = Some(Chain {
            charged: chain.charged + due,
            ..chain
        });
        Ok(i64::try_from(due).unwrap())
    }

    /// S19: whether this version of the tariff prices the stay.
    fn is_valid(&self, entry_s: i64, exit_s: i64) -> bool {
        let at_exit = self.sheet.valid.at_exit && !self.misread(Misreading::VersionAlwaysAtEntry);
        let at_s = if at_exit { exit_s } else { entry_s };
        let valid = self.sheet.valid.from_s.is_none_or(|from_s| from_s <= at_s)
            && self.sheet.valid.to_s.is_none_or(|to_s| at_s < to_s);
        self.seen.effect_if(!valid, Feature::OutsideValidity);
        valid
    }

    /// S18: the chain that the stay continues, its end moved to the exit, or a new one.
    fn chain(&self, account: &Account, entry_s: i64, exit_s: i64) -> Chain {
        let within_s = self
            .sheet
            .reentry_s
            .filter(|_| !self.misread(Misreading::ReentryIgnored));
        let going_on = account
            .chain
            .zip(within_s)
            .filter(|(chain, within_s)| entry_s - chain.exit_s <= *within_s);
        let Some((chain, _)) = going_on else {
            return Chain {
                entry_s,
                exit_s,
                charged: 0,
            };
        };
        self.seen.effect_if(chain.charged > 0, Feature::Reentry);
        Chain {
            entry_s: chain.entry_s.min(entry_s),
            exit_s: chain.exit_s.max(exit_s),
            charged: chain.charged,
        }
    }

    /// S5.
    fn cheapest(&self, question: &Question<'_>) -> Result<Outcome, Refused> {
        let mut plans = self
            .sheet
            .plans
            .iter()
            .filter(|plan| self.holds(&plan.condition, &question.stay));
        let mut best = self.outcome(plans.next().ok_or(Refused::NoPlan)?, question);
        if self.sheet.lowest && !self.misread(Misreading::FirstPlanInsteadOfLowest) {
            for plan in plans {
                let other = self.outcome(plan, question);
                if other.fee < best.fee {
                    self.seen.effect(Feature::ChooseLowest);
                    best = other;
                }
            }
        }
        Ok(best)
    }

    fn holds(&self, condition: &Condition, stay: &Stay<'_>) -> bool {
        let clock = LocalClock::new(&self.sheet.zone);
        let in_window = |whens: &[When], at_s: i64| {
            let local = clock.local(at_s);
            whens.iter().any(|when| when.holds(local, self.reading()))
        };
        let inclusive = self.misread(Misreading::EntryConditionInclusive);
        let length_s = stay.exit_s - stay.entry_s;
        let class = condition
            .classes
            .as_ref()
            .is_none_or(|names| names.iter().any(|name| stay.class == Some(name.as_str())));
        let tag = condition
            .tags
            .as_ref()
            .is_none_or(|names| names.iter().any(|name| stay.tags.contains(&name.as_str())));
        let minutes = condition.minutes.iter().all(|(bound, bound_s)| match bound.as_str() {
            "le" => length_s <= *bound_s,
            "lt" => length_s < *bound_s,
            "ge" => length_s >= *bound_s,
            _ => length_s > *bound_s,
        });
        let entry = condition.entry.is_empty()
            || in_window(&condition.entry, stay.entry_s)
            || (inclusive && in_window(&condition.entry, stay.entry_s - 1));
        let exclusive = self.misread(Misreading::ExitConditionExclusive);
        let exit = condition.exit.is_empty()
            || in_window(&condition.exit, stay.exit_s)
            || (!exclusive && in_window(&condition.exit, stay.exit_s - 1));
        self.seen.effect_if(!class, Feature::IfClass);
        self.seen.effect_if(!tag, Feature::IfTag);
        self.seen.effect_if(!minutes, Feature::IfMinutes);
        self.seen.effect_if(!entry, Feature::IfEntry);
        self.seen.effect_if(!exit, Feature::IfExit);
        class && tag && minutes && entry && exit
    }

    /// The stretches of a stay that a pass pays, one after the other.
    fn covered(&self, question: &Question<'_>) -> Vec<(i64, i64)> {
        let Stay { entry_s, exit_s, .. } = question.stay;
        let mut parts: Vec<(i64, i64)> = question
            .covered
            .iter()
            .map(|(from_s, to_s)| ((*from_s).max(entry_s), (*to_s).min(exit_s)))
            .filter(|(from_s, to_s)| from_s < to_s)
            .collect();
        parts.sort_unstable();
        let mut end_s = i64::MIN;
        for part in &mut parts {
            part.0 = part.0.max(end_s);
            end_s = end_s.max(part.1);
        }
        parts.retain(|(from_s, to_s)| from_s < to_s);
        self.seen.effect_if(!parts.is_empty(), Feature::Covered);
        self.seen.effect_if(parts.len() > 1, Feature::CoveredTwice);
        parts
    }

    /// A stay under one plan, S6 to the minimum of S14.
    fn outcome(&self, plan: &Plan, question: &Question<'_>) -> Outcome {
        let Stay { entry_s, exit_s, .. } = question.stay;
        let covered = self.covered(question);
        let chargeable_s = exit_s - entry_s - covered.iter().map(|(from_s, to_s)| to_s - from_s).sum::<i64>();
        let mut account = question.account.clone();
        let Some(free_s) = self.free_s(plan, question, chargeable_s, &mut account) else {
            return Outcome { fee: 0, account };
        };
        let walk = self.walk(plan, &covered, free_s, (entry_s, exit_s));
        let mut items = walk.items();
        let mut least = plan.least;
        if self.misread(Misreading::MinimumBeforeCaps) {
            let lacking = least - items.iter().map(|item| item.amount).sum::<i128>();
            if let Some(item) = items.last_mut() {
                item.amount += lacking.max(0);
            }
            least = 0;
        }
        for cap in &plan.caps {
            let holds = cap
                .condition
                .as_ref()
                .is_none_or(|condition| self.holds(condition, &question.stay));
            self.seen.effect_if(!holds, Feature::CapIf);
            if self.misread(Misreading::CapsIgnored) || !(holds || self.misread(Misreading::CapConditionIgnored)) {
                continue;
            }
            let key = cap
                .account
                .as_ref()
                .filter(|_| !self.misread(Misreading::AccountCapPerStay));
            match key {
                Some(key) => walk.cap(cap, &mut items, account.caps.entry(key.clone()).or_default()),
                None => walk.cap(cap, &mut items, &mut Used::default()),
            }
        }
        if self.misread(Misreading::ItemsRounded) {
            for item in &mut items {
                item.amount = half_up(item.amount, SCALE) * SCALE;
            }
        }
        let mut fee: i128 = items.iter().map(|item| item.amount).sum();
        if 0 < fee && fee < least {
            self.seen.effect(Feature::Minimum);
            fee = least;
        }
        Outcome { fee, account }
    }

    /// S7 and S8: how much of the head costs nothing; none when grace makes the whole stay free.
    fn free_s(&self, plan: &Plan, question: &Question<'_>, chargeable_s: i64, account: &mut Account) -> Option<i64> {
        let mut free_s = question.voucher_s;
        if let Some((bound_s, strict)) = plan.grace.filter(|_| !question.plain) {
            let strict = strict != self.misread(Misreading::GraceBoundSwapped);
            self.seen
                .effect_if(chargeable_s == bound_s && strict, Feature::GraceStrict);
            if chargeable_s < bound_s || (chargeable_s == bound_s && !strict) {
                self.seen.effect(Feature::Grace);
                return None;
            }
            if self.misread(Misreading::GraceDeducted) {
                free_s += bound_s;
            }
        }
        if chargeable_s == 0 {
            return None;
        }
        self.seen.effect_if(free_s > 0, Feature::VoucherMinutes);
        if let Some((seconds, per_day)) = plan.free.filter(|_| !question.plain) {
            let mut own_s = seconds;
            if per_day {
                let day = LocalClock::new(&self.sheet.zone).local(question.stay.entry_s).day;
                let used_s = account.free_s.entry(day).or_insert(0);
                if !self.misread(Misreading::FreeOfDayGivenTwice) {
                    own_s = (own_s - *used_s).max(0);
                }
                self.seen.effect_if(own_s < seconds, Feature::FreeDay);
                *used_s += own_s.min(chargeable_s);
            }
            self.seen.effect_if(own_s > 0 && !per_day, Feature::FreeStay);
            if !self.misread(Misreading::FreeCharged) || chargeable_s <= own_s {
                free_s += own_s;
            }
        }
        Some(free_s.min(chargeable_s))
    }

    fn walk<'a>(&'a self, plan: &'a Plan, covered: &'a [(i64, i64)], free_s: i64, stay: (i64, i64)) -> Walk<'a> {
        let (entry_s, exit_s) = stay;
        let bounds = covered.iter().flat_map(|(from_s, to_s)| [*from_s, *to_s]);
        let tick_s = bounds.chain([entry_s, exit_s, free_s]).fold(self.sheet.grain_s, finer);
        self.note(plan, (entry_s, exit_s), tick_s);
        Walk {
            sheet: &self.sheet,
            plan,
            time: Time {
                entry_s,
                exit_s,
                covered,
                free_s,
                tick_s,
            },
            reading: self.reading(),
        }
    }

    fn note(&self, plan: &Plan, (entry_s, exit_s): (i64, i64), tick_s: i64) {
        let seen = &self.seen;
        let clock = LocalClock::new(&self.sheet.zone);
        seen.effect_if(clock.offset_s(entry_s) != clock.offset_s(exit_s), Feature::ClockChange);
        seen.effect_if(tick_s < 60, Feature::Seconds);
        seen.effect_if(exit_s - entry_s > 7 * 86_400, Feature::Weeks);
        match plan.cycle {
            Span::Every(_) => seen.used(Feature::CycleEvery),
            Span::Daily(_) => seen.used(Feature::CycleDaily),
            _ => {}
        }
        match plan.edge.as_str() {
            "split" => seen.used(Feature::EdgeSplit),
            "carry" => seen.used(Feature::EdgeCarry),
            _ => seen.used(Feature::EdgeTotal),
        }
        if plan.bands.iter().any(|band| band.whens.len() > 1) {
            seen.effect(Feature::WhenSeveral);
        }
    }

    /// S14: the one rounding.
    fn rounded(&self, fee: i128) -> i128 {
        let to = if self.misread(Misreading::RoundingStepIgnored) {
            1
        } else {
            self.sheet.round_to
        };
        let step = to * SCALE;
        let (below, rest) = (fee.div_euclid(step), fee.rem_euclid(step));
        self.seen.effect_if(rest > 0 && to > 1, Feature::RoundTo);
        let is_half = 2 * rest == step;
        let up = match self.sheet.round_mode.as_str() {
            "half_up" => {
                self.seen.effect_if(is_half, Feature::RoundHalfUp);
                2 * rest >= step
            }
            "half_even" => {
                self.seen.effect_if(is_half, Feature::RoundHalfEven);
                let to_even = is_half && (below % 2 == 1 || self.misread(Misreading::HalfEvenAsHalfUp));
                2 * rest > step || to_even
            }
            "up" => {
                self.seen.effect_if(rest > 0, Feature::RoundUp);
                rest > 0
            }
            _ => {
                self.seen.effect_if(rest > 0, Feature::RoundDown);
                false
            }
        };
        (below + i128::from(up)) * to
    }

    /// S15.
    fn discounted(&self, fee: i128, vouchers: &[Voucher], as_given: bool) -> i128 {
        let mut vouchers = vouchers.to_vec();
        if as_given {
            self.seen.effect_if(vouchers.len() > 1, Feature::VouchersAsGiven);
        } else {
            let usual = ["minutes", "percent", "amount", "points"];
            self.seen
                .effect_if(vouchers.len() > 1 && self.sheet.order != usual, Feature::DiscountOrder);
            vouchers.sort_by_key(|voucher| self.sheet.order.iter().position(|kind| kind == voucher.kind.name()));
        }
        if self.misread(Misreading::VouchersInReverse) {
            vouchers.reverse();
        }
        vouchers.iter().fold(fee, |fee, voucher| {
            let value = i128::from(voucher.value);
            let (feature, after) = match voucher.kind {
                VoucherKind::Minutes => return fee,
                VoucherKind::Percent if self.misread(Misreading::PercentRoundedDown) => {
                    (Feature::VoucherPercent, fee * (10_000 - value) / 10_000)
                }
                VoucherKind::Percent => (Feature::VoucherPercent, half_up(fee * (10_000 - value), 10_000)),
                VoucherKind::Amount => (Feature::VoucherAmount, (fee - value).max(0)),
                VoucherKind::Points => (Feature::VoucherPoints, (fee - value).max(0)),
            };
            self.seen.effect_if(after < fee, feature);
            after
        })
    }

    /// S16: tax on top; tax that is included changes nothing of the total.
    fn with_tax(&self, due: i128) -> i128 {
        let Some((rate_bp, added)) = self.sheet.tax else {
            return due;
        };
        if !added {
            self.seen.effect_if(due > 0, Feature::TaxIncluded);
            return due;
        }
        let tax = half_up(due * rate_bp, 10_000);
        self.seen.effect_if(tax > 0, Feature::TaxAdded);
        if self.misread(Misreading::TaxForgotten) {
            due
        } else {
            due + tax
        }
    }
}
