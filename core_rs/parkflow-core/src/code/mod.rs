//! Codes, version 1: what the QR shows, how it is made and who may be let through with it.
//!
//! A code is a credential (an issuer says: this code key may make codes for this card until then) and a proof (the
//! phone's code key signs the moment). A gate needs the issuer's public keys and its clock, and no network.

mod base45;
mod batch;
mod cache;
mod credential;
mod keyset;
mod layout;
mod memory;
mod policy;
mod reason;
mod subject;
mod text;
mod trust;
mod verdict;
mod verify;

pub use base45::{decode as decode_base45, encode as encode_base45, Base45Error};
pub use batch::{verify_codes, verify_shown_codes, ShownCode};
pub use cache::{CredentialCache, CredentialDigest};
pub use credential::{issue_credential, make_code, IssueError};
pub use keyset::{Algorithm, IssuerKey, KeySet, KeySetError};
pub use layout::{Code, Credential, CredentialFields, CODE_BYTES, CREDENTIAL_BYTES, LIFETIME_MINUTES_MAX, VERSION};
pub use memory::{DenyList, NothingDenied, NothingSeen, ReplayCache, ReplayMemory};
pub use policy::Policy;
pub use reason::Reason;
pub use subject::{open_subject, seal_subject, SubjectKeys, SUBJECT_BYTES, SUBJECT_KEY_BYTES};
pub use text::{decode_code, encode_code, CODE_CHARS, PREFIX, TEXT_BYTES_MAX};
pub use trust::Trust;
pub use verdict::Verdict;
pub use verify::verify_code;
