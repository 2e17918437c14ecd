//! The check of one code: cheap refusals first, signatures last.

use super::keyset::{IssuerKey, KeySet};
use super::layout::Code;
use super::memory::{DenyList, ReplayMemory};
use super::policy::Policy;
use super::reason::Reason;
use super::text::decode_code;
use super::verdict::Verdict;
use crate::ed25519::{Equation, Purpose, VerifyingKey};

/// Checks one code as shown at `now_s`, and remembers it if it is accepted.
pub fn verify_code(
    text: &[u8],
    now_s: i64,
    keys: &KeySet,
    policy: &Policy,
    deny: &dyn DenyList,
    replay: &mut dyn ReplayMemory,
) -> Verdict {
    let code = match decode_code(text) {
        Ok(code) => code,
        Err(reason) => return Verdict { reason, code: None },
    };
    let reason = match check_claims(&code, now_s, keys, policy, deny, replay) {
        Ok(key) => check_signatures(&code, key),
        Err(reason) => reason,
    };
    if reason == Reason::Accepted {
        replay.remember(
            code.code_id(),
            i64::from(code.issued_at_s).saturating_add(policy.past_max_s()),
        );
    }
    Verdict {
        reason,
        code: Some(code),
    }
}

/// Everything but the signatures: the issuer key to check them with, or the first reason to refuse.
pub(super) fn check_claims<'k>(
    code: &Code,
    now_s: i64,
    keys: &'k KeySet,
    policy: &Policy,
    deny: &dyn DenyList,
    replay: &dyn ReplayMemory,
) -> Result<&'k IssuerKey, Reason> {
    let fields = &code.credential.fields;
    let key = keys.get(fields.kid).ok_or(Reason::UnknownKid)?;
    check_windows(code, key)?;
    check_moment(i64::from(code.issued_at_s), now_s, policy)?;
    if deny.denies(&fields.subject) {
        return Err(Reason::Denied);
    }
    if replay.remembers(&code.code_id()) {
        return Err(Reason::Replayed);
    }
    if [key.product, policy.product]
        .into_iter()
        .flatten()
        .any(|product| product != fields.product)
    {
        return Err(Reason::WrongProduct);
    }
    if fields.ceiling != 0 && policy.fee_due_units.is_some_and(|fee| fee > u32::from(fields.ceiling)) {
        return Err(Reason::OverCeiling);
    }
    Ok(key)
}

/// The moment of the code, and not that of the gate, must lie in the windows: so every verifier says the same.
fn check_windows(code: &Code, key: &IssuerKey) -> Result<(), Reason> {
    let fields = &code.credential.fields;
    let issued_at_s = i64::from(code.issued_at_s);
    if issued_at_s >= key.not_after_s {
        return Err(Reason::KidExpired);
    }
    if issued_at_s < key.not_before_s || issued_at_s < i64::from(fields.not_before_s) {
        return Err(Reason::NotYetValid);
    }
    if issued_at_s >= fields.not_after_s() {
        return Err(Reason::CredentialExpired);
    }
    Ok(())
}

fn check_moment(issued_at_s: i64, now_s: i64, policy: &Policy) -> Result<(), Reason> {
    if now_s.saturating_sub(issued_at_s) > policy.past_max_s() {
        return Err(Reason::CodeStale);
    }
    if issued_at_s.saturating_sub(now_s) > i64::from(policy.skew_s) {
        return Err(Reason::CodeFromFuture);
    }
    Ok(())
}

fn check_signatures(code: &Code, key: &IssuerKey) -> Reason {
    if !issuer_equation(code, key).is_some_and(|equation| equation.holds()) {
        return Reason::BadIssuerSignature;
    }
    if !code_equation(code).is_some_and(|equation| equation.holds()) {
        return Reason::BadCodeSignature;
    }
    Reason::Accepted
}

/// What must hold for the issuer's signature; `None` if PF-1 refuses its encoding.
pub(super) fn issuer_equation(code: &Code, key: &IssuerKey) -> Option<Equation> {
    let message = [Purpose::Credential.prefix(), code.credential_signed_bytes()];
    Equation::new(&key.public_key, &message, &code.credential.signature)
}

/// What must hold for the phone's signature; the issuer checked the code key before it signed the credential.
pub(super) fn code_equation(code: &Code) -> Option<Equation> {
    let key = VerifyingKey::certified(code.credential.fields.code_key).ok()?;
    let message = [Purpose::Code.prefix(), code.signed_bytes()];
    Equation::new(&key, &message, &code.signature)
}
