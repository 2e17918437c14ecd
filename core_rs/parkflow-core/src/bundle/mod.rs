//! Bundles, version 1: what a gate needs to decide without a network, signed by the operator's root key.
//!
//! Issuer keys, settings of lots and lanes, and who is denied. The deny list is exact for the newest changes and a
//! filter for the many others; the filter is a file of its own, named in the bundle by its hash, so that an update is a
//! few kilobytes while the filter stays.

mod content;
mod decode;
mod denial;
mod encode;
mod filter;
mod refusal;
mod signed;

pub use content::{BundleContent, ExitDenied, FilterName, KeyRecord, Lane, LaneDirection, Lot, RiskOutcome, RiskRule};
pub use denial::{Denial, DenyIndex};
pub use encode::ContentError;
pub use filter::{DenyFilter, FilterError, FILTER_BYTES_MAX, FILTER_HEADER_BYTES};
pub use refusal::BundleRefusal;
pub use signed::{open_bundle, seal_bundle, BUNDLE_BYTES_MAX};
