//! The check of one code: cheap refusals first, signatures last.

use super::cache::{CredentialCache, CredentialDigest};
use super::keyset::{IssuerKey, KeySet};
use super::layout::Code;
use super::memory::{DenyList, ReplayMemory};
use super::policy::Policy;
use super::reason::Reason;
use super::text::decode_code;
use super::trust::Trust;
use super::verdict::Verdict;
use crate::ed25519::{Equation, Purpose, VerifyingKey};

/// Checks one code as shown at `now_s`, and remembers it if it is accepted.
pub fn verify_code<'a>(
    text: &[u8],
    now_s: i64,
    trust: impl Into<Trust<'a>>,
    policy: &Policy,
    deny: &dyn DenyList,
    replay: &mut dyn ReplayMemory,
) -> Verdict {
    let code = match decode_code(text) {
        Ok(code) => code,
        Err(reason) => return Verdict { reason, code: None },
    };
    let trust = trust.into();
    let reason = check_claims(&code, now_s, trust.keys, policy, deny, replay)
        .and_then(|key| Signatures::of(&code, key, trust.verified))
        .map_or_else(|reason| reason, |left| left.check(trust.verified));
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
    if replay.remembers_code(code) {
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

/// The signatures of a code that are still to be checked: the issuer's, unless its credential was verified before, and
/// the phone's.
pub(super) struct Signatures {
    /// The equation of the issuer's signature, and how to remember that it holds.
    pub(super) issuer: Option<(Equation, Option<CredentialDigest>)>,
    pub(super) code: Equation,
}

impl Signatures {
    /// What is left to check, or the reason why there is nothing left.
    pub(super) fn of(code: &Code, key: &IssuerKey, verified: Option<&CredentialCache>) -> Result<Self, Reason> {
        let digest = verified.map(|_| CredentialDigest::new(code, key));
        let known = verified.zip(digest).and_then(|(cache, digest)| cache.code_key(&digest));
        if let Some(code_key) = known {
            let code = code_equation(code, &code_key).ok_or(Reason::BadCodeSignature)?;
            return Ok(Self { issuer: None, code });
        }
        let issuer = issuer_equation(code, key).ok_or(Reason::BadIssuerSignature)?;
        // The issuer checked the code key before it signed the credential.
        let code_key = VerifyingKey::certified(code.credential.fields.code_key).ok();
        match code_key.and_then(|code_key| code_equation(code, &code_key)) {
            Some(code) => Ok(Self {
                issuer: Some((issuer, digest)),
                code,
            }),
            // The issuer's signature comes first in the order of refusal, so it must be known before this is the reason.
            None if issuer.holds() => Err(Reason::BadCodeSignature),
            None => Err(Reason::BadIssuerSignature),
        }
    }

    /// The reason, checked singly: the phone's signature only if the issuer's holds.
    fn check(&self, verified: Option<&CredentialCache>) -> Reason {
        if let Some((issuer, digest)) = &self.issuer {
            if !issuer.holds() {
                return Reason::BadIssuerSignature;
            }
            remember(verified, *digest, self.code.key());
        }
        if self.code.holds() {
            Reason::Accepted
        } else {
            Reason::BadCodeSignature
        }
    }
}

/// Remembers a credential that was found good, whatever its code is worth.
pub(super) fn remember(verified: Option<&CredentialCache>, digest: Option<CredentialDigest>, code_key: &VerifyingKey) {
    if let (Some(cache), Some(digest)) = (verified, digest) {
        cache.keep(digest, *code_key);
    }
}

/// What must hold for the issuer's signature; `None` if PF-1 refuses its encoding.
fn issuer_equation(code: &Code, key: &IssuerKey) -> Option<Equation> {
    let message = [Purpose::Credential.prefix(), code.credential_signed_bytes()];
    Equation::new(&key.public_key, &message, &code.credential.signature)
}

/// What must hold for the phone's signature.
fn code_equation(code: &Code, code_key: &VerifyingKey) -> Option<Equation> {
    let message = [Purpose::Code.prefix(), code.signed_bytes()];
    Equation::new(code_key, &message, &code.signature)
}
