//! What scans are worth: decided from the code, the gate's word and the lot's rules, for many uploads at once.

use core::num::NonZeroUsize;
use std::borrow::Cow;

use super::canonical::{evidence, without_nul};
use super::journal::{Medium, Scan, Upload};
use crate::bundle::{ExitDenied, LaneDirection};
use crate::code::{verify_shown_codes, CredentialCache, KeySet, Policy, Reason, ShownCode, SubjectKeys, Verdict};
use crate::stay::Direction;

/// A scan cannot lie in the future; this much a gate's clock may be ahead.
const CLOCK_AHEAD_MAX_MS: i64 = 60_000;

/// What a gate says of a passage that it let through.
const ACCEPTED: &str = "accepted";

/// An id has 63 bits, the upper 10 of which are its bucket.
const ID_LIMIT: u64 = 1 << 63;
const BUCKET_SHIFT: u32 = 53;

/// Where an upload's scans were made, and by which rules.
#[derive(Debug, Clone, Copy)]
pub struct Post<'a> {
    /// The operator's keys: the codes of others are unknown here.
    pub keys: &'a KeySet,
    /// The lot's rules for codes.
    pub policy: &'a Policy,
    /// What opens the subjects of the operator's codes.
    pub subject_keys: &'a SubjectKeys,
    /// Where the gate's lane leads.
    pub lane_direction: LaneDirection,
    /// Whether the lot lets denied cards out.
    pub exit_denied: ExitDenied,
}

/// What a scan is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanResult<'a> {
    /// A passage, or a sighting of one.
    Accepted,
    /// The gate stopped a code that it had seen before.
    Replayed,
    /// Nothing: a reason of ours, of a code's check, or the gate's own word.
    Rejected(&'a str),
}

/// A scan with our own verdict.
#[derive(Debug)]
pub struct JudgedScan<'a> {
    /// Which of the uploads it belongs to.
    pub upload: usize,
    /// The scan.
    pub scan: &'a Scan,
    /// What of it is kept as evidence.
    pub content: Cow<'a, str>,
    /// What the gate decided.
    pub gate_verdict: &'a str,
    /// What we decided.
    pub result: ScanResult<'a>,
}

/// Whose code a scan shows that was let through or stopped as replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passage {
    /// The scan's place among all judged ones.
    pub row: usize,
    /// The card's bucket.
    pub bucket: u64,
    /// The card.
    pub card_id: u64,
    /// The credential's number.
    pub serial: u64,
    /// The code's identity.
    pub code_id: [u8; 16],
    /// The key that the credential certifies.
    pub code_key: [u8; 32],
}

/// A scan that was let through and does not say whose it is: by plate, by ticket or by hand.
#[derive(Debug)]
pub struct Sighting<'a> {
    /// The scan's place among all judged ones.
    pub row: usize,
    /// The plate or the ticket, with U+FFFD for NUL.
    pub text: Option<Cow<'a, str>>,
    /// Who raised the barrier.
    pub lifted_by: Option<&'a str>,
}

/// All scans of all uploads, in their order, and those among them that somebody has to act upon.
#[derive(Debug, Default)]
pub struct Judgement<'a> {
    /// The scans.
    pub scans: Vec<JudgedScan<'a>>,
    /// Genuine codes that were let through or that the gate stopped as replayed.
    pub passages: Vec<Passage>,
    /// The rows of genuine codes, whatever became of them, whose subject opens to no possible card.
    pub unopened: Vec<usize>,
    /// Scans by plate, ticket or hand that were let through.
    pub sightings: Vec<Sighting<'a>>,
}

/// Our verdict for each scan, each by its own time. All codes are checked in one batch, by their posts' keys and rules.
///
/// `verified`, `threads`, `fill_random`: see [`verify_shown_codes`].
#[must_use]
pub fn judge_uploads<'a>(
    uploads: &[(&'a Upload, Post<'a>)],
    now_ms: i64,
    verified: Option<&CredentialCache>,
    threads: NonZeroUsize,
    fill_random: &mut dyn FnMut(&mut [u8]),
) -> Judgement<'a> {
    let codes: Vec<ShownCode<'_>> = uploads
        .iter()
        .flat_map(|(upload, post)| upload.scans().iter().filter_map(|scan| shown_code(upload, scan, post)))
        .collect();
    let mut verdicts = verify_shown_codes(&codes, verified, threads, fill_random).into_iter();
    let scans = uploads.iter().map(|(upload, _)| upload.scans().len()).sum();
    let mut judgement = Judgement {
        scans: Vec::with_capacity(scans),
        passages: Vec::with_capacity(codes.len()),
        ..Judgement::default()
    };
    for (place, (upload, post)) in uploads.iter().enumerate() {
        for scan in upload.scans() {
            let verdict = match scan.medium {
                Medium::Code => verdicts.next(),
                Medium::Plate | Medium::Ticket | Medium::Lift => None,
            };
            judgement.add(place, upload, scan, verdict.as_ref(), post, now_ms);
        }
    }
    judgement
}

fn shown_code<'a>(upload: &'a Upload, scan: &Scan, post: &Post<'a>) -> Option<ShownCode<'a>> {
    let text = upload.shown(scan).filter(|_| scan.medium == Medium::Code)?;
    Some(ShownCode {
        text: text.as_bytes(),
        at_s: scan.at_ms.div_euclid(1_000),
        keys: post.keys,
        policy: post.policy,
    })
}

impl<'a> Judgement<'a> {
    fn add(
        &mut self,
        place: usize,
        upload: &'a Upload,
        scan: &'a Scan,
        verdict: Option<&Verdict>,
        post: &Post<'_>,
        now_ms: i64,
    ) {
        let row = self.scans.len();
        let gate_verdict = upload.verdict(scan);
        let result = result_of(scan, gate_verdict, verdict, post, now_ms);
        match verdict {
            Some(verdict) if verdict.is_accepted() => self.add_genuine(row, verdict, result, post),
            None if result == ScanResult::Accepted => self.sightings.push(Sighting {
                row,
                text: upload.shown(scan).map(without_nul),
                lifted_by: upload.lifted_by(scan),
            }),
            Some(_) | None => {}
        }
        self.scans.push(JudgedScan {
            upload: place,
            scan,
            content: evidence(upload, scan),
            gate_verdict,
            result,
        });
    }

    fn add_genuine(&mut self, row: usize, verdict: &Verdict, result: ScanResult<'_>, post: &Post<'_>) {
        let Some(code) = &verdict.code else {
            return;
        };
        let fields = &code.credential.fields;
        let opened = post.subject_keys.open(fields.kid, &fields.subject);
        let Some((card_id, serial)) = opened.filter(|(card_id, serial)| *card_id < ID_LIMIT && *serial < ID_LIMIT)
        else {
            self.unopened.push(row);
            return;
        };
        match result {
            ScanResult::Accepted | ScanResult::Replayed => self.passages.push(Passage {
                row,
                bucket: card_id >> BUCKET_SHIFT,
                card_id,
                serial,
                code_id: code.code_id(),
                code_key: fields.code_key,
            }),
            ScanResult::Rejected(_) => {}
        }
    }
}

fn result_of<'a>(
    scan: &Scan,
    gate_verdict: &'a str,
    verdict: Option<&Verdict>,
    post: &Post<'_>,
    now_ms: i64,
) -> ScanResult<'a> {
    if scan.at_ms > now_ms.saturating_add(CLOCK_AHEAD_MAX_MS) {
        return ScanResult::Rejected("scan_from_future");
    }
    if !leads(post.lane_direction, scan.direction) {
        return ScanResult::Rejected("wrong_direction");
    }
    let Some(verdict) = verdict else {
        let is_through = gate_verdict == ACCEPTED || scan.manual;
        return if is_through {
            ScanResult::Accepted
        } else {
            ScanResult::Rejected(gate_verdict)
        };
    };
    if !verdict.is_accepted() {
        return ScanResult::Rejected(verdict.reason.name());
    }
    if was_let_through(scan, gate_verdict, post.exit_denied) {
        return ScanResult::Accepted;
    }
    // The barrier stayed shut: whatever the code is worth, nobody went through.
    if gate_verdict == Reason::Replayed.name() {
        ScanResult::Replayed
    } else {
        ScanResult::Rejected(gate_verdict)
    }
}

fn leads(lane: LaneDirection, direction: Direction) -> bool {
    match lane {
        LaneDirection::Both => true,
        LaneDirection::Entry => direction == Direction::Entry,
        LaneDirection::Exit => direction == Direction::Exit,
    }
}

/// Whether the barrier opened for a code: by the gate's verdict, by hand, or because the lot lets denied cards out.
fn was_let_through(scan: &Scan, gate_verdict: &str, exit_denied: ExitDenied) -> bool {
    let is_let_out =
        gate_verdict == Reason::Denied.name() && scan.direction == Direction::Exit && exit_denied == ExitDenied::Accept;
    gate_verdict == ACCEPTED || scan.manual || is_let_out
}
