//! Uploads: what a gate tells of its passages, read strictly, chained by hashes, and judged by the server's own rule.
//!
//! [`read_upload`] takes one body apart and says where it is wrong; [`judge_uploads`] checks the codes of many uploads in
//! one batch. Whether an event or a code was seen before is not known here: that is for whoever keeps them.

mod canonical;
mod instant;
mod journal;
mod judge;
mod pattern;
mod read;
mod wire;

pub use journal::{chain_sha256, Hash, Medium, Scan, Upload, CHAIN_BEGIN};
pub use judge::{judge_uploads, JudgedScan, Judgement, Passage, Post, ScanResult, Sighting};
pub use read::{read_upload, UploadError, UploadRefusal};
