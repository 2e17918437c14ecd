//! Binding of `parkflow_core::bundle`: content as dictionaries, subjects as joined bytes.

use parkflow_core::bundle::{
    self, BundleContent, ExitDenied, FilterName, KeyRecord, Lane, LaneDirection, Lot, RiskOutcome, RiskRule,
};
use parkflow_core::code::{Algorithm, SUBJECT_BYTES};
use parkflow_core::ed25519::{VerifyingKey, SECRET_BYTES};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::ed25519::exact;

/// Adds this part's names to the extension module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(seal_bundle, module)?)?;
    module.add_function(wrap_pyfunction!(open_bundle, module)?)?;
    module.add_class::<DenyFilter>()?;
    module.add("ALGORITHM_ED25519", Algorithm::Ed25519.number())?;
    Ok(())
}

#[derive(FromPyObject, IntoPyObject)]
#[pyo3(from_item_all)]
struct KeyItem {
    kid: u32,
    operator_id: u64,
    product: u8,
    algorithm: u8,
    not_before_s: u64,
    not_after_s: u64,
    public_key: Vec<u8>,
}

#[derive(FromPyObject, IntoPyObject)]
#[pyo3(from_item_all)]
struct RuleItem {
    ceiling_from: u16,
    code_age_from_s: u16,
    bundle_age_from_s: u32,
    outcome: String,
}

#[derive(FromPyObject, IntoPyObject)]
#[pyo3(from_item_all)]
struct LaneItem {
    lane_id: u64,
    direction: String,
}

#[derive(FromPyObject, IntoPyObject)]
#[pyo3(from_item_all)]
struct LotItem {
    lot_id: u64,
    product: u8,
    code_age_max_s: u16,
    skew_s: u16,
    exit_denied: String,
    passback_s: u32,
    risk: Vec<RuleItem>,
    lanes: Vec<LaneItem>,
}

#[derive(FromPyObject, IntoPyObject)]
#[pyo3(from_item_all)]
struct ContentItem {
    operator_id: u64,
    version: u64,
    issued_at_s: u64,
    expires_at_s: u64,
    keys: Vec<KeyItem>,
    lots: Vec<LotItem>,
    filter: Option<(Vec<u8>, u32)>,
    denied: Vec<u8>,
    cleared: Vec<u8>,
}

/// Content in any order, sorted and signed by the operator's root key.
#[pyfunction]
fn seal_bundle<'py>(py: Python<'py>, root_secret: &[u8], content: ContentItem) -> PyResult<Bound<'py, PyBytes>> {
    let root_secret = exact::<SECRET_BYTES>("root_secret", root_secret)?;
    let mut content = content_of(content)?;
    content.sort();
    let bytes = py
        .detach(|| bundle::seal_bundle(&root_secret, &content))
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(PyBytes::new(py, &bytes))
}

/// The content of a bundle that the root key signed; a refusal raises `ValueError` with its name.
#[pyfunction]
fn open_bundle(py: Python<'_>, root_key: &[u8], bytes: &[u8]) -> PyResult<ContentItem> {
    let root_key = VerifyingKey::enrol(root_key).map_err(|error| PyValueError::new_err(error.to_string()))?;
    let content = py
        .detach(|| bundle::open_bundle(&root_key, bytes))
        .map_err(|refusal| PyValueError::new_err(refusal.name()))?;
    Ok(item_of(content))
}

fn content_of(item: ContentItem) -> PyResult<BundleContent> {
    let filter = item
        .filter
        .map(|(sha256, bytes)| {
            Ok::<_, PyErr>(FilterName {
                sha256: exact("filter sha256", &sha256)?,
                bytes,
            })
        })
        .transpose()?;
    Ok(BundleContent {
        operator_id: item.operator_id,
        version: item.version,
        issued_at_s: item.issued_at_s,
        expires_at_s: item.expires_at_s,
        keys: item.keys.into_iter().map(key_of).collect(),
        lots: item.lots.into_iter().map(lot_of).collect::<PyResult<_>>()?,
        filter,
        denied: subjects_of("denied", &item.denied)?,
        cleared: subjects_of("cleared", &item.cleared)?,
    })
}

fn key_of(item: KeyItem) -> KeyRecord {
    KeyRecord {
        kid: item.kid,
        operator_id: item.operator_id,
        product: item.product,
        algorithm: item.algorithm,
        not_before_s: item.not_before_s,
        not_after_s: item.not_after_s,
        public_key: item.public_key,
    }
}

fn lot_of(item: LotItem) -> PyResult<Lot> {
    let rule_of = |rule: RuleItem| {
        Ok(RiskRule {
            ceiling_from: rule.ceiling_from,
            code_age_from_s: rule.code_age_from_s,
            bundle_age_from_s: rule.bundle_age_from_s,
            outcome: match rule.outcome.as_str() {
                "flag" => RiskOutcome::Flag,
                "refuse" => RiskOutcome::Refuse,
                other => return Err(unknown("outcome", other, "flag or refuse")),
            },
        })
    };
    let lane_of = |lane: LaneItem| {
        Ok(Lane {
            lane_id: lane.lane_id,
            direction: match lane.direction.as_str() {
                "entry" => LaneDirection::Entry,
                "exit" => LaneDirection::Exit,
                "both" => LaneDirection::Both,
                other => return Err(unknown("direction", other, "entry, exit or both")),
            },
        })
    };
    Ok(Lot {
        lot_id: item.lot_id,
        product: item.product,
        code_age_max_s: item.code_age_max_s,
        skew_s: item.skew_s,
        exit_denied: match item.exit_denied.as_str() {
            "accept" => ExitDenied::Accept,
            "pay" => ExitDenied::Pay,
            other => return Err(unknown("exit_denied", other, "accept or pay")),
        },
        passback_s: item.passback_s,
        risk: item.risk.into_iter().map(rule_of).collect::<PyResult<_>>()?,
        lanes: item.lanes.into_iter().map(lane_of).collect::<PyResult<_>>()?,
    })
}

fn item_of(content: BundleContent) -> ContentItem {
    ContentItem {
        operator_id: content.operator_id,
        version: content.version,
        issued_at_s: content.issued_at_s,
        expires_at_s: content.expires_at_s,
        keys: content.keys.into_iter().map(key_item).collect(),
        lots: content.lots.into_iter().map(lot_item).collect(),
        filter: content.filter.map(|name| (name.sha256.to_vec(), name.bytes)),
        denied: content.denied.into_flattened(),
        cleared: content.cleared.into_flattened(),
    }
}

fn key_item(key: KeyRecord) -> KeyItem {
    KeyItem {
        kid: key.kid,
        operator_id: key.operator_id,
        product: key.product,
        algorithm: key.algorithm,
        not_before_s: key.not_before_s,
        not_after_s: key.not_after_s,
        public_key: key.public_key,
    }
}

fn lot_item(lot: Lot) -> LotItem {
    let rule_item = |rule: RiskRule| RuleItem {
        ceiling_from: rule.ceiling_from,
        code_age_from_s: rule.code_age_from_s,
        bundle_age_from_s: rule.bundle_age_from_s,
        outcome: match rule.outcome {
            RiskOutcome::Flag => "flag".to_owned(),
            RiskOutcome::Refuse => "refuse".to_owned(),
        },
    };
    let lane_item = |lane: Lane| LaneItem {
        lane_id: lane.lane_id,
        direction: match lane.direction {
            LaneDirection::Entry => "entry".to_owned(),
            LaneDirection::Exit => "exit".to_owned(),
            LaneDirection::Both => "both".to_owned(),
        },
    };
    LotItem {
        lot_id: lot.lot_id,
        product: lot.product,
        code_age_max_s: lot.code_age_max_s,
        skew_s: lot.skew_s,
        exit_denied: match lot.exit_denied {
            ExitDenied::Accept => "accept".to_owned(),
            ExitDenied::Pay => "pay".to_owned(),
        },
        passback_s: lot.passback_s,
        risk: lot.risk.into_iter().map(rule_item).collect(),
        lanes: lot.lanes.into_iter().map(lane_item).collect(),
    }
}

fn unknown(name: &str, value: &str, choices: &str) -> PyErr {
    PyValueError::new_err(format!("{name} must be {choices}, not {value:?}"))
}

/// Subjects of 16 bytes each, one behind the other: a million of them are one object for Python.
fn subjects_of(name: &str, joined: &[u8]) -> PyResult<Vec<[u8; SUBJECT_BYTES]>> {
    let (subjects, rest) = joined.as_chunks();
    if rest.is_empty() {
        return Ok(subjects.to_vec());
    }
    let length = joined.len();
    Err(PyValueError::new_err(format!(
        "{name} must be subjects of {SUBJECT_BYTES} bytes each, not {length} bytes in all"
    )))
}

#[pyclass(frozen, module = "parkflow._core")]
pub struct DenyFilter(bundle::DenyFilter);

impl DenyFilter {
    fn among<'py>(&self, py: Python<'py>, subjects: &[u8], hit: bool) -> PyResult<Bound<'py, PyBytes>> {
        let mut subjects = subjects_of("subjects", subjects)?;
        py.detach(|| subjects.retain(|subject| self.0.hits(subject) == hit));
        Ok(PyBytes::new(py, subjects.as_flattened()))
    }
}

#[pymethods]
impl DenyFilter {
    #[staticmethod]
    fn build(py: Python<'_>, subjects: &[u8]) -> PyResult<Self> {
        let subjects = subjects_of("subjects", subjects)?;
        let built = py.detach(|| bundle::DenyFilter::build(&subjects));
        built
            .map(Self)
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }

    #[staticmethod]
    fn decode(py: Python<'_>, bytes: &[u8]) -> PyResult<Self> {
        let read = py.detach(|| bundle::DenyFilter::decode(bytes.to_vec()));
        read.map(Self).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    fn hits(&self, subject: &[u8]) -> bool {
        subject.try_into().is_ok_and(|subject| self.0.hits(subject))
    }

    /// Those of the subjects that the filter hits, in their order.
    fn hits_among<'py>(&self, py: Python<'py>, subjects: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        self.among(py, subjects, true)
    }

    /// The others.
    fn misses_among<'py>(&self, py: Python<'py>, subjects: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        self.among(py, subjects, false)
    }

    #[getter]
    fn sha256<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.name().sha256)
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.bytes())
    }

    fn __len__(&self) -> usize {
        self.0.bytes().len()
    }
}
