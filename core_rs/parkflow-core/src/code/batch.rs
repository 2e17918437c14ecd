//! The server's re-check of many scans: the signatures of all codes go into one batch, or one for each core.

use core::num::NonZeroUsize;
use std::thread;

use super::layout::Code;
use super::memory::{NothingDenied, NothingSeen};
use super::policy::Policy;
use super::reason::Reason;
use super::text::decode_code;
use super::trust::Trust;
use super::verdict::Verdict;
use super::verify::{check_claims, Signatures};
use crate::ed25519::{verify_weighted, Equation, COEFFICIENT_BYTES};

/// Fewer codes than this are not worth a thread of their own: sums get dearer the shorter they are.
const CODES_PER_THREAD_MIN: usize = 64;

/// The random bytes of a code: one coefficient for each of its two signatures.
type CodeRandom = [[u8; COEFFICIENT_BYTES]; 2];

/// Checks each code at its scan's own time, so that an upload that is days late is as good as a fresh one.
///
/// The verdicts are those of one check after the other without deny list and replay memory, which are for the caller:
/// a denial that came after the scan does not undo it, and replays are found by the code's identity.
/// Works on at most `threads` cores. `fill_random`: see [`crate::ed25519::verify_equations`].
#[must_use]
pub fn verify_codes<'a>(
    scans: &[(&[u8], i64)],
    trust: impl Into<Trust<'a>>,
    policy: &Policy,
    threads: NonZeroUsize,
    fill_random: &mut dyn FnMut(&mut [u8]),
) -> Vec<Verdict> {
    let trust = trust.into();
    let mut random: Vec<CodeRandom> = vec![CodeRandom::default(); scans.len()];
    fill_random(random.as_flattened_mut().as_flattened_mut());
    let length = scans.len().div_ceil(threads.get()).max(CODES_PER_THREAD_MIN);
    let mut parts = scans.chunks(length).zip(random.chunks(length));
    let Some((first, first_random)) = parts.next() else {
        return Vec::new();
    };
    thread::scope(|scope| {
        let begin = |(part, random)| scope.spawn(move || verify_part(part, random, trust, policy));
        let others: Vec<_> = parts.map(begin).collect();
        let mut verdicts = verify_part(first, first_random, trust, policy);
        for other in others {
            match other.join() {
                Ok(part) => verdicts.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        verdicts
    })
}

/// The codes of one thread, in one batch.
fn verify_part(scans: &[(&[u8], i64)], random: &[CodeRandom], trust: Trust<'_>, policy: &Policy) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = Vec::with_capacity(scans.len());
    let mut batch = Batch::default();
    for ((text, at_s), random) in scans.iter().zip(random) {
        let verdict = match decode_code(text) {
            Err(reason) => Verdict { reason, code: None },
            Ok(code) => Verdict {
                reason: batch.add(verdicts.len(), &code, *at_s, random, trust, policy),
                code: Some(code),
            },
        };
        verdicts.push(verdict);
    }
    batch.settle(&mut verdicts, trust);
    verdicts
}

/// The codes whose claims are good, with what is left to find out about each.
#[derive(Default)]
struct Batch {
    waiting: Vec<(usize, Signatures)>,
    equations: Vec<Equation>,
    random: Vec<[u8; COEFFICIENT_BYTES]>,
}

impl Batch {
    /// The reason as far as it is known without a sum; a code that may still be accepted waits at its place.
    fn add(
        &mut self,
        place: usize,
        code: &Code,
        at_s: i64,
        random: &CodeRandom,
        trust: Trust<'_>,
        policy: &Policy,
    ) -> Reason {
        let key = match check_claims(code, at_s, trust.keys, policy, &NothingDenied, &NothingSeen) {
            Ok(key) => key,
            Err(reason) => return reason,
        };
        let signatures = match Signatures::of(code, key, trust.verified) {
            Ok(signatures) => signatures,
            Err(reason) => return reason,
        };
        for (equation, random) in signatures.equations().zip(random) {
            self.equations.push(*equation);
            self.random.push(*random);
        }
        self.waiting.push((place, signatures));
        Reason::Accepted
    }

    fn settle(self, verdicts: &mut [Verdict], trust: Trust<'_>) {
        let mut holding = verify_weighted(&self.equations, &self.random).into_iter();
        for (place, signatures) in self.waiting {
            verdicts[place].reason = signatures.settle_by(trust.verified, &mut holding);
        }
    }
}
