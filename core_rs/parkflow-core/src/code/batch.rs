//! The server's re-check of many scans: both signatures of every code go into one batch.

use super::keyset::KeySet;
use super::layout::Code;
use super::memory::{NothingDenied, NothingSeen};
use super::policy::Policy;
use super::reason::Reason;
use super::text::decode_code;
use super::verdict::Verdict;
use super::verify::{check_claims, code_equation, issuer_equation};
use crate::ed25519::{verify_equations, Equation};

/// Checks each code at its scan's own time, so that an upload that is days late is as good as a fresh one.
///
/// The verdicts are those of one check after the other without deny list and replay memory, which are for the caller:
/// a denial that came after the scan does not undo it, and replays are found by the code's identity.
/// `fill_random`: see [`verify_equations`].
#[must_use]
pub fn verify_codes<'t>(
    scans: impl IntoIterator<Item = (&'t [u8], i64)>,
    keys: &KeySet,
    policy: &Policy,
    fill_random: &mut dyn FnMut(&mut [u8]),
) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let mut equations = Vec::new();
    let mut places = Vec::new();
    for (text, at_s) in scans {
        let verdict = match decode_code(text) {
            Err(reason) => Verdict { reason, code: None },
            Ok(code) => match signatures_to_check(&code, at_s, keys, policy) {
                Err(reason) => Verdict {
                    reason,
                    code: Some(code),
                },
                Ok(pair) => {
                    places.push(verdicts.len());
                    equations.extend(pair);
                    Verdict {
                        reason: Reason::Accepted,
                        code: Some(code),
                    }
                }
            },
        };
        verdicts.push(verdict);
    }
    let holding = verify_equations(&equations, fill_random);
    let (pairs, _) = holding.as_chunks();
    for (place, &[issuer_holds, code_holds]) in places.into_iter().zip(pairs) {
        if !issuer_holds {
            verdicts[place].reason = Reason::BadIssuerSignature;
        } else if !code_holds {
            verdicts[place].reason = Reason::BadCodeSignature;
        }
    }
    verdicts
}

/// The two equations that are left to check, or the reason why there is nothing left.
fn signatures_to_check(code: &Code, at_s: i64, keys: &KeySet, policy: &Policy) -> Result<[Equation; 2], Reason> {
    let key = check_claims(code, at_s, keys, policy, &NothingDenied, &NothingSeen)?;
    let issuer = issuer_equation(code, key).ok_or(Reason::BadIssuerSignature)?;
    match code_equation(code) {
        Some(code) => Ok([issuer, code]),
        // The issuer's signature comes first in the order of refusal, so it must be known before this is the reason.
        None if issuer.holds() => Err(Reason::BadCodeSignature),
        None => Err(Reason::BadIssuerSignature),
    }
}
