//! The server's re-check of many scans: the signatures of all codes go into one batch, or one for each core.

use core::num::NonZeroUsize;
use std::thread;

use super::cache::{CredentialCache, CredentialDigest};
use super::keyset::KeySet;
use super::layout::Code;
use super::memory::{NothingDenied, NothingSeen};
use super::policy::Policy;
use super::reason::Reason;
use super::text::decode_code;
use super::trust::Trust;
use super::verdict::Verdict;
use super::verify::{check_claims, remember, Signatures};
use crate::ed25519::{verify_weighted, Equation, COEFFICIENT_BYTES};

/// Fewer codes than this are not worth a thread of their own: sums get dearer the shorter they are.
const CODES_PER_THREAD_MIN: usize = 64;

/// The random bytes of a code: one coefficient for each of its two signatures.
type CodeRandom = [[u8; COEFFICIENT_BYTES]; 2];

/// A code as a scan shows it, and what it is checked by.
#[derive(Debug, Clone, Copy)]
pub struct ShownCode<'a> {
    /// What the scanner read.
    pub text: &'a [u8],
    /// The time of the scan, unix seconds.
    pub at_s: i64,
    /// The keys that are trusted where it was scanned.
    pub keys: &'a KeySet,
    /// The rules of that place.
    pub policy: &'a Policy,
}

/// Checks each code at its scan's own time, so that an upload that is days late is as good as a fresh one.
///
/// The verdicts are those of one check after the other without deny list and replay memory, which are for the caller:
/// a denial that came after the scan does not undo it, and replays are found by the code's identity.
/// Works on at most `threads` cores. `fill_random`: see [`crate::ed25519::verify_equations`].
#[must_use]
pub fn verify_codes<'a>(
    scans: &[(&'a [u8], i64)],
    trust: impl Into<Trust<'a>>,
    policy: &'a Policy,
    threads: NonZeroUsize,
    fill_random: &mut dyn FnMut(&mut [u8]),
) -> Vec<Verdict> {
    let Trust { keys, verified } = trust.into();
    let shown = |&(text, at_s): &(&'a [u8], i64)| ShownCode {
        text,
        at_s,
        keys,
        policy,
    };
    let codes: Vec<_> = scans.iter().map(shown).collect();
    verify_shown_codes(&codes, verified, threads, fill_random)
}

/// [`verify_codes`] for scans of several places: each code by the keys and the rules of its own.
#[must_use]
pub fn verify_shown_codes(
    codes: &[ShownCode<'_>],
    verified: Option<&CredentialCache>,
    threads: NonZeroUsize,
    fill_random: &mut dyn FnMut(&mut [u8]),
) -> Vec<Verdict> {
    let mut random: Vec<CodeRandom> = vec![CodeRandom::default(); codes.len()];
    fill_random(random.as_flattened_mut().as_flattened_mut());
    let length = codes.len().div_ceil(threads.get()).max(CODES_PER_THREAD_MIN);
    let mut parts = codes.chunks(length).zip(random.chunks(length));
    let Some((first, first_random)) = parts.next() else {
        return Vec::new();
    };
    thread::scope(|scope| {
        let begin = |(part, random)| scope.spawn(move || verify_part(part, random, verified));
        let others: Vec<_> = parts.map(begin).collect();
        let mut verdicts = verify_part(first, first_random, verified);
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
fn verify_part(codes: &[ShownCode<'_>], random: &[CodeRandom], verified: Option<&CredentialCache>) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = Vec::with_capacity(codes.len());
    let mut batch = Batch::for_codes(codes.len());
    for (shown, random) in codes.iter().zip(random) {
        let verdict = match decode_code(shown.text) {
            Err(reason) => Verdict { reason, code: None },
            Ok(code) => Verdict {
                reason: batch.add(verdicts.len(), &code, shown, random, verified),
                code: Some(code),
            },
        };
        verdicts.push(verdict);
    }
    batch.settle(&mut verdicts, verified);
    verdicts
}

/// The codes whose claims are good, with the equations that are left to check.
struct Batch {
    waiting: Vec<Waiting>,
    /// One or two for each code that waits, the issuer's first.
    equations: Vec<Equation>,
    random: Vec<[u8; COEFFICIENT_BYTES]>,
}

/// A code that will be accepted if its equations hold.
struct Waiting {
    /// Its place among the verdicts.
    place: usize,
    /// Whether the issuer's equation is in the batch too.
    has_issuer: bool,
    /// How to remember that it holds.
    digest: Option<CredentialDigest>,
}

impl Batch {
    fn for_codes(codes: usize) -> Self {
        Self {
            waiting: Vec::with_capacity(codes),
            equations: Vec::with_capacity(codes.saturating_mul(2)),
            random: Vec::with_capacity(codes.saturating_mul(2)),
        }
    }

    /// The reason as far as it is known without a sum; a code that may still be accepted waits at its place.
    fn add(
        &mut self,
        place: usize,
        code: &Code,
        shown: &ShownCode<'_>,
        random: &CodeRandom,
        verified: Option<&CredentialCache>,
    ) -> Reason {
        let signatures = check_claims(code, shown.at_s, shown.keys, shown.policy, &NothingDenied, &NothingSeen)
            .and_then(|key| Signatures::of(code, key, verified));
        let Signatures { issuer, code } = match signatures {
            Ok(signatures) => signatures,
            Err(reason) => return reason,
        };
        let [issuer_random, code_random] = *random;
        let (has_issuer, mut digest) = (issuer.is_some(), None);
        if let Some((equation, found)) = issuer {
            self.equations.push(equation);
            self.random.push(issuer_random);
            digest = found;
        }
        self.equations.push(code);
        self.random.push(code_random);
        self.waiting.push(Waiting {
            place,
            has_issuer,
            digest,
        });
        Reason::Accepted
    }

    fn settle(self, verdicts: &mut [Verdict], verified: Option<&CredentialCache>) {
        let holding = verify_weighted(&self.equations, &self.random);
        let mut answers = self.equations.iter().zip(holding);
        for waiting in self.waiting {
            let issuer_holds = !waiting.has_issuer || answers.next().is_some_and(|(_, holds)| holds);
            // Both answers are taken in any case, so that the next code finds its own.
            let Some((equation, code_holds)) = answers.next() else {
                return;
            };
            if !issuer_holds {
                verdicts[waiting.place].reason = Reason::BadIssuerSignature;
                continue;
            }
            remember(verified, waiting.digest, equation.key());
            if !code_holds {
                verdicts[waiting.place].reason = Reason::BadCodeSignature;
            }
        }
    }
}
