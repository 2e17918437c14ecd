//! A gate: takes bundles, and decides about codes.

use core::mem::take;
use std::io;
use std::sync::Arc;

use parkflow_core::bundle::{
    open_bundle, BundleContent, BundleRefusal, Denial, DenyFilter, DenyIndex, ExitDenied, LaneDirection, Lot,
    RiskOutcome,
};
use parkflow_core::code::{
    verify_code, Code, CredentialCache, IssuerKey, KeySet, NothingDenied, Policy, Reason, ReplayCache, ReplayMemory,
    Trust, SUBJECT_BYTES,
};
use parkflow_core::ed25519::{KeyRefusal, VerifyingKey, KEY_BYTES};
use parkflow_core::recent::Recent;

use crate::decision::{Decision, Outcome};
use crate::passback::{Direction, Passages};
use crate::reason::GateReason;
use crate::risk::{bundle_age_s, risk_of, Ages};
use crate::store::BundleStore;

/// Where a gate stands.
#[derive(Debug, Clone, Copy)]
pub struct Post {
    /// The operator's root public key, which signs its bundles.
    pub root_key: [u8; KEY_BYTES],
    /// The gate's lot.
    pub lot_id: u64,
    /// The gate's lane.
    pub lane_id: u64,
}

/// How much a gate remembers; each entry takes about 100 bytes, a credential about 300.
#[derive(Debug, Clone, Copy)]
pub struct Capacities {
    /// Codes that were let through.
    pub replays: usize,
    /// Cards and their last passage.
    pub passages: usize,
    /// Verified credentials.
    pub credentials: usize,
}

impl Default for Capacities {
    /// For a lane that lets a car through every two seconds for some hours.
    fn default() -> Self {
        Self {
            replays: 4_096,
            passages: 8_192,
            credentials: 1_024,
        }
    }
}

/// A code under the reader.
#[derive(Debug, Clone, Copy)]
pub struct Visit<'a> {
    /// What the scanner read, of any length.
    pub text: &'a [u8],
    /// Which way the car wants.
    pub direction: Direction,
    /// The fee to be let out unpaid, whole currency units rounded up; `None` where it is not known.
    pub fee_due_units: Option<u32>,
    /// The gate's clock, unix seconds.
    pub now_s: i64,
}

/// A bundle in use, ready for decisions at one lane. Its denied subjects are in `deny` and no longer in `content`.
#[derive(Debug)]
struct Current {
    content: BundleContent,
    keys: KeySet,
    deny: DenyIndex,
    filter: Option<Arc<DenyFilter>>,
    lot: Lot,
    lane_direction: LaneDirection,
}

/// One gate. Not shared by threads: whoever calls it from several takes turns.
#[derive(Debug)]
pub struct Gate {
    root_key: VerifyingKey,
    post: Post,
    store: Option<BundleStore>,
    current: Option<Current>,
    /// The version on the disk, once that was looked at: no older bundle is taken, whether or not it is in use.
    stored_version: Option<u64>,
    confirmed_at_s: Option<i64>,
    replays: ReplayCache,
    passages: Passages,
    credentials: CredentialCache,
    /// Subjects that the filter hits and the service said are not denied; void with the next filter.
    cleared: Recent<[u8; SUBJECT_BYTES], ()>,
}

const CLEARED_MAX: usize = 1_024;

impl Gate {
    /// A gate without a bundle. Without a store its bundles do not outlive the process, which is for tests only.
    pub fn new(post: Post, capacities: Capacities, store: Option<BundleStore>) -> Result<Self, KeyRefusal> {
        Ok(Self {
            root_key: VerifyingKey::enrol(&post.root_key)?,
            post,
            store,
            current: None,
            stored_version: None,
            confirmed_at_s: None,
            replays: ReplayCache::new(capacities.replays),
            passages: Passages::new(capacities.passages),
            credentials: CredentialCache::new(capacities.credentials),
            cleared: Recent::new(CLEARED_MAX),
        })
    }

    /// Takes up the bundle on the disk; false if there is none. Expired or not: cars still go out with it.
    ///
    /// If its filter is missing or damaged, this is an error, and the same bundle may be taken again with it.
    pub fn load(&mut self) -> io::Result<bool> {
        let invalid = |refusal: BundleRefusal| io::Error::new(io::ErrorKind::InvalidData, refusal);
        let Some(content) = self.stored_content()? else {
            return Ok(false);
        };
        let filter = match (&content.filter, &self.store) {
            (Some(name), Some(store)) => store.read_filter(name)?,
            _ => None,
        };
        let filter = self.filter_for(&content, filter).map_err(invalid)?;
        self.current = Some(self.prepare(content, filter).map_err(invalid)?);
        self.cleared.clear();
        Ok(true)
    }

    /// The content of the bundle on the disk, whose version is the least that is taken from now on.
    fn stored_content(&mut self) -> io::Result<Option<BundleContent>> {
        let bytes = match &self.store {
            None => None,
            Some(store) => store.read_bundle()?,
        };
        let content = match bytes {
            None => None,
            Some(bytes) => {
                let opened = open_bundle(&self.root_key, &bytes);
                Some(opened.map_err(|refusal| io::Error::new(io::ErrorKind::InvalidData, refusal))?)
            }
        };
        self.stored_version = Some(content.as_ref().map_or(0, |content| content.version));
        Ok(content)
    }

    /// The version on the disk; 0 if there is no bundle that can be read.
    fn version_on_disk(&mut self) -> u64 {
        if self.stored_version.is_none() {
            // A host may take a bundle before it loads the old one, or never load.
            self.stored_version = Some(0);
            let _ = self.stored_content();
        }
        self.stored_version.unwrap_or(0)
    }

    /// The version in use; 0 before the first bundle.
    #[must_use]
    pub fn bundle_version(&self) -> u64 {
        self.current.as_ref().map_or(0, |current| current.content.version)
    }

    /// First second at which the bundle in use lets nobody in any more, unix time; 0 before the first bundle.
    #[must_use]
    pub fn bundle_expires_at_s(&self) -> u64 {
        self.current.as_ref().map_or(0, |current| current.content.expires_at_s)
    }

    /// SHA-256 of the filter that a signed bundle goes with, so that a caller knows which one to fetch.
    pub fn filter_of(&self, bytes: &[u8]) -> Result<Option<[u8; 32]>, BundleRefusal> {
        Ok(open_bundle(&self.root_key, bytes)?.filter.map(|name| name.sha256))
    }

    /// Uses a bundle from now on, if the root key signed it, it is newer than the one in use and has not expired.
    ///
    /// `filter`: the file that it goes with, if the gate does not have it ([`BundleRefusal::FilterMissing`]). Both are
    /// on the disk before they are used; whatever is refused changes nothing. Returns the version.
    pub fn take_bundle(&mut self, bytes: &[u8], filter: Option<&[u8]>, now_s: i64) -> Result<u64, BundleRefusal> {
        let content = open_bundle(&self.root_key, bytes)?;
        if content.version <= self.bundle_version() || content.version < self.version_on_disk() {
            return Err(BundleRefusal::NotNewer);
        }
        if seconds(content.expires_at_s) <= now_s {
            return Err(BundleRefusal::Expired);
        }
        let filter = self.filter_for(&content, filter.map(<[u8]>::to_vec))?;
        let next = self.prepare(content, filter)?;
        self.persist(bytes, &next).map_err(|_| BundleRefusal::NotStored)?;
        let old_filter = self.current.as_ref().and_then(|current| current.content.filter);
        if next.content.filter != old_filter {
            self.cleared.clear();
        }
        self.confirmed_at_s = Some(now_s);
        let version = next.content.version;
        self.stored_version = Some(version);
        self.current = Some(next);
        Ok(version)
    }

    /// Notes that the service just said that the bundle in use is its newest.
    pub fn confirm_bundle(&mut self, now_s: i64) {
        self.confirmed_at_s = Some(now_s);
    }

    /// Notes that the service just said that this subject, which the filter hits, is not denied.
    pub fn clear(&mut self, subject: [u8; SUBJECT_BYTES]) {
        self.cleared.put(subject, ());
    }

    /// Notes a passage that another gate of the lot let through, or this one before it was restarted.
    pub fn note_passage(&mut self, code: &Code, direction: Direction, at_s: i64) {
        let past_max_s = self
            .current
            .as_ref()
            .map_or(Policy::default(), |current| current.policy(None))
            .past_max_s();
        self.passages.note_told(code.credential.fields.subject, direction, at_s);
        self.replays
            .remember(code.code_id(), i64::from(code.issued_at_s).saturating_add(past_max_s));
    }

    /// Decides about one code. If the barrier opens, the code and the card's passage are remembered.
    pub fn decide(&mut self, visit: &Visit<'_>) -> Decision {
        let refused = |reason| Decision {
            outcome: Outcome::Refuse,
            reason,
            certain: true,
            code: None,
        };
        let Some(current) = &self.current else {
            return refused(GateReason::NoBundle);
        };
        if let Some(reason) = current.refusal_of_post(visit) {
            return refused(reason);
        }
        let decision = self.judge(current, visit);
        if let (true, Some(code)) = (decision.opens(), &decision.code) {
            let useless_after_s = i64::from(code.issued_at_s).saturating_add(current.policy(None).past_max_s());
            self.replays.remember(code.code_id(), useless_after_s);
            self.passages
                .note(code.credential.fields.subject, visit.direction, visit.now_s);
        }
        decision
    }

    fn judge(&self, current: &Current, visit: &Visit<'_>) -> Decision {
        let lets_denied_out = visit.direction == Direction::Exit && current.lot.exit_denied == ExitDenied::Accept;
        let trust = Trust {
            keys: &current.keys,
            verified: Some(&self.credentials),
        };
        let deny = Exceptions(&current.deny, &self.cleared);
        let mut seen = Peek(&self.replays);
        let policy = current.policy(visit.fee_due_units);
        let verdict = if lets_denied_out {
            verify_code(visit.text, visit.now_s, trust, &policy, &NothingDenied, &mut seen)
        } else {
            verify_code(visit.text, visit.now_s, trust, &policy, &deny, &mut seen)
        };
        let denial = verdict
            .code
            .map_or(Denial::No, |code| deny.denial(&code.credential.fields.subject));
        let decided = |outcome, reason| Decision {
            outcome,
            reason,
            certain: denial != Denial::Likely || reason != GateReason::Code(Reason::Denied),
            code: verdict.code,
        };
        let (Reason::Accepted, Some(code)) = (verdict.reason, verdict.code) else {
            return decided(Outcome::Refuse, GateReason::Code(verdict.reason));
        };
        let subject = &code.credential.fields.subject;
        if self
            .passages
            .repeats(subject, visit.direction, visit.now_s, current.lot.passback_s)
        {
            // The barrier may have come down before the car was through: it is let out again, and flagged.
            let outcome = if lets_denied_out {
                Outcome::AcceptAndFlag
            } else {
                Outcome::Refuse
            };
            return decided(outcome, GateReason::Passback);
        }
        if denial != Denial::No {
            return decided(Outcome::AcceptAndFlag, GateReason::Code(Reason::Denied));
        }
        match risk_of(
            &current.lot.risk,
            code.credential.fields.ceiling,
            self.ages(current, &code, visit.now_s),
        ) {
            Some(RiskOutcome::Refuse) if !lets_denied_out => decided(Outcome::Refuse, GateReason::Risk),
            Some(RiskOutcome::Refuse | RiskOutcome::Flag) => decided(Outcome::AcceptAndFlag, GateReason::Risk),
            None if current.is_expired(visit.now_s) => decided(Outcome::AcceptAndFlag, GateReason::BundleExpired),
            None => decided(Outcome::Accept, GateReason::Code(Reason::Accepted)),
        }
    }

    fn ages(&self, current: &Current, code: &Code, now_s: i64) -> Ages {
        Ages {
            code_s: u64::try_from(now_s.saturating_sub(i64::from(code.issued_at_s))).unwrap_or(0),
            bundle_s: bundle_age_s(now_s, current.content.issued_at_s, self.confirmed_at_s),
        }
    }

    /// The filter that the content names: the one in use if it is the same, else the bytes given, checked.
    fn filter_for(
        &self,
        content: &BundleContent,
        bytes: Option<Vec<u8>>,
    ) -> Result<Option<Arc<DenyFilter>>, BundleRefusal> {
        let Some(name) = &content.filter else {
            return Ok(None);
        };
        if let Some(current) = self
            .current
            .as_ref()
            .filter(|old| old.content.filter.as_ref() == Some(name))
        {
            return Ok(current.filter.clone());
        }
        let bytes = bytes.ok_or(BundleRefusal::FilterMissing)?;
        let filter = DenyFilter::decode(bytes).map_err(|_| BundleRefusal::BadFilter)?;
        if filter.name() == *name {
            Ok(Some(Arc::new(filter)))
        } else {
            Err(BundleRefusal::BadFilter)
        }
    }

    fn prepare(&self, mut content: BundleContent, filter: Option<Arc<DenyFilter>>) -> Result<Current, BundleRefusal> {
        let lot = content
            .lots
            .iter()
            .find(|lot| lot.lot_id == self.post.lot_id)
            .ok_or(BundleRefusal::UnknownLane)?
            .clone();
        let lane = lot
            .lanes
            .iter()
            .find(|lane| lane.lane_id == self.post.lane_id)
            .ok_or(BundleRefusal::UnknownLane)?;
        Ok(Current {
            keys: key_set(&content)?,
            deny: DenyIndex::new(take(&mut content.denied), take(&mut content.cleared), filter.clone()),
            filter,
            lane_direction: lane.direction,
            lot,
            content,
        })
    }

    fn persist(&self, bytes: &[u8], next: &Current) -> io::Result<()> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        let name = next.content.filter.as_ref();
        let known = self
            .current
            .as_ref()
            .and_then(|current| current.content.filter.as_ref());
        if let (Some(name), Some(filter)) = (name, &next.filter) {
            if known != Some(name) {
                store.write_filter(name, filter.bytes())?;
            }
        }
        store.write_bundle(bytes)?;
        store.remove_other_filters(name);
        Ok(())
    }
}

impl Current {
    /// Why no code is looked at, whatever it is.
    fn refusal_of_post(&self, visit: &Visit<'_>) -> Option<GateReason> {
        let leads_there = match self.lane_direction {
            LaneDirection::Both => true,
            LaneDirection::Entry => visit.direction == Direction::Entry,
            LaneDirection::Exit => visit.direction == Direction::Exit,
        };
        if !leads_there {
            return Some(GateReason::WrongDirection);
        }
        let clock_ahead_s = visit.now_s.saturating_add(i64::from(self.lot.skew_s));
        if clock_ahead_s < seconds(self.content.issued_at_s) {
            return Some(GateReason::ClockBehind);
        }
        (visit.direction == Direction::Entry && self.is_expired(visit.now_s)).then_some(GateReason::BundleExpired)
    }

    fn is_expired(&self, now_s: i64) -> bool {
        seconds(self.content.expires_at_s) <= now_s
    }

    fn policy(&self, fee_due_units: Option<u32>) -> Policy {
        Policy {
            code_age_max_s: u32::from(self.lot.code_age_max_s),
            skew_s: u32::from(self.lot.skew_s),
            product: (self.lot.product != 0).then_some(self.lot.product),
            fee_due_units,
        }
    }
}

/// The keys of algorithms that this gate knows; codes under others are of an unknown kid.
fn key_set(content: &BundleContent) -> Result<KeySet, BundleRefusal> {
    let mut keys = Vec::with_capacity(content.keys.len());
    for record in content.keys.iter().filter(|record| record.known_algorithm().is_some()) {
        let product = (record.product != 0).then_some(record.product);
        let operator_id = i64::try_from(record.operator_id).map_err(|_| BundleRefusal::BadKey)?;
        let window_s = seconds(record.not_before_s)..seconds(record.not_after_s);
        let key = IssuerKey::new(record.kid, &record.public_key, operator_id, product, window_s);
        keys.push(key.map_err(|_| BundleRefusal::BadKey)?);
    }
    KeySet::new(keys).map_err(|_| BundleRefusal::BadKey)
}

fn seconds(unsigned: u64) -> i64 {
    i64::try_from(unsigned).unwrap_or(i64::MAX)
}

/// The deny list less the subjects that the service has cleared meanwhile.
struct Exceptions<'a>(&'a DenyIndex, &'a Recent<[u8; SUBJECT_BYTES], ()>);

impl Exceptions<'_> {
    fn denial(&self, subject: &[u8; SUBJECT_BYTES]) -> Denial {
        match self.0.denial(subject) {
            Denial::Likely if self.1.peek(subject).is_some() => Denial::No,
            denial => denial,
        }
    }
}

impl parkflow_core::code::DenyList for Exceptions<'_> {
    fn denies(&self, subject: &[u8; SUBJECT_BYTES]) -> bool {
        self.denial(subject) != Denial::No
    }
}

/// The replay memory as the check sees it: what was let through. The gate itself writes, once the barrier opens.
struct Peek<'a>(&'a ReplayCache);

impl ReplayMemory for Peek<'_> {
    fn remembers(&self, code_id: &[u8; 16]) -> bool {
        self.0.remembers(code_id)
    }

    fn remember(&mut self, _code_id: [u8; 16], _useless_after_s: i64) {}
}
