//! The numbers that cross the border. They are stable: a number never changes its meaning, new ones may come.

/// Version of these functions and structs. It rises when something is added; what is there stays as it is.
pub const PF_ABI_VERSION: u32 = 1;

/// Length of a subject and of a code id.
pub const PF_ID_BYTES: usize = 16;

/// Length of a filter's name, a SHA-256.
pub const PF_SHA256_BYTES: usize = 32;

/// Longest folder name, without its final zero.
pub const PF_FOLDER_BYTES_MAX: usize = 4_096;

/// Longest stem, without its final zero.
pub const PF_STEM_BYTES_MAX: usize = 64;

/// What a call came to: `PF_DONE`, why a bundle was refused (`PF_BUNDLE_...`, 1 to 99), or why the call was not made
/// (`PF_ERROR_...`, from 100).
pub type pf_status = i32;

/// Done.
pub const PF_DONE: pf_status = 0;

/// The bundle is longer than any bundle.
pub const PF_BUNDLE_TOO_LONG: pf_status = 1;
/// The operator's root key did not sign the bundle.
pub const PF_BUNDLE_BAD_SIGNATURE: pf_status = 2;
/// The bundle is of a format that this library does not know.
pub const PF_BUNDLE_BAD_FORMAT: pf_status = 3;
/// The bytes are no bundle.
pub const PF_BUNDLE_MALFORMED: pf_status = 4;
/// The bundle holds an issuer key that is none.
pub const PF_BUNDLE_BAD_KEY: pf_status = 5;
/// The bundle's version is not above the one in use.
pub const PF_BUNDLE_NOT_NEWER: pf_status = 6;
/// The bundle has expired.
pub const PF_BUNDLE_EXPIRED: pf_status = 7;
/// The bundle does not know the gate's lot or lane.
pub const PF_BUNDLE_UNKNOWN_LANE: pf_status = 8;
/// The bundle goes with a filter that the gate does not have: fetch it, then call again with both.
pub const PF_BUNDLE_FILTER_MISSING: pf_status = 9;
/// The bytes given as the filter are not the ones that the bundle names.
pub const PF_BUNDLE_BAD_FILTER: pf_status = 10;
/// The bundle could not be written to the disk, so it is not used.
pub const PF_BUNDLE_NOT_STORED: pf_status = 11;

/// A pointer is NULL that must not be.
pub const PF_ERROR_NULL: pf_status = 100;
/// A struct's `struct_size` is not set, or smaller than that of any version of the struct.
pub const PF_ERROR_STRUCT_SIZE: pf_status = 101;
/// A string is too long, not UTF-8, or (the stem) empty or more than a plain file name.
pub const PF_ERROR_STRING: pf_status = 102;
/// The root key is not a public key.
pub const PF_ERROR_ROOT_KEY: pf_status = 103;
/// The direction is neither `PF_ENTRY` nor `PF_EXIT`.
pub const PF_ERROR_DIRECTION: pf_status = 104;
/// The fee is below -1 or above 4294967295.
pub const PF_ERROR_FEE: pf_status = 105;
/// The text is not that of a code.
pub const PF_ERROR_CODE: pf_status = 106;
/// The disk could not be read.
pub const PF_ERROR_DISK: pf_status = 107;
/// Another thread is using the handle.
pub const PF_ERROR_BUSY: pf_status = 108;
/// A defect of the library, in this call or an earlier one. The handle answers nothing else from now on: free it, make
/// a new one, load.
pub const PF_ERROR_PANICKED: pf_status = 109;

/// Into the lot.
pub const PF_ENTRY: i32 = 1;
/// Out of the lot.
pub const PF_EXIT: i32 = 2;

/// Stay shut. It is 0, so that memory that nobody wrote opens nothing.
pub const PF_REFUSE: u8 = 0;
/// Open.
pub const PF_ACCEPT: u8 = 1;
/// Open, and tell the service that somebody should look at it: the reason says why.
pub const PF_ACCEPT_AND_FLAG: u8 = 2;

/// The code is good.
pub const PF_REASON_ACCEPTED: u8 = 0;
/// The text is longer than any code.
pub const PF_REASON_TOO_LONG: u8 = 1;
/// Not a code of parkflow.
pub const PF_REASON_BAD_PREFIX: u8 = 2;
/// Not the Base45 of any bytes.
pub const PF_REASON_BAD_BASE45: u8 = 3;
/// Not the length of a code.
pub const PF_REASON_BAD_LENGTH: u8 = 4;
/// A version of codes that this library does not know.
pub const PF_REASON_BAD_VERSION: u8 = 5;
/// The bundle has no such issuer key.
pub const PF_REASON_UNKNOWN_KID: u8 = 6;
/// The code was made after the issuer key's window.
pub const PF_REASON_KID_EXPIRED: u8 = 7;
/// The code was made before the credential's or the issuer key's window.
pub const PF_REASON_NOT_YET_VALID: u8 = 8;
/// The code was made after the credential's window.
pub const PF_REASON_CREDENTIAL_EXPIRED: u8 = 9;
/// The code is too old: a screenshot.
pub const PF_REASON_CODE_STALE: u8 = 10;
/// The code is from the future by more than clocks may differ.
pub const PF_REASON_CODE_FROM_FUTURE: u8 = 11;
/// The card is denied; see `certain`.
pub const PF_REASON_DENIED: u8 = 12;
/// This very code was let through before.
pub const PF_REASON_REPLAYED: u8 = 13;
/// The code is for something else than parking here.
pub const PF_REASON_WRONG_PRODUCT: u8 = 14;
/// The fee is more than the card may leave unpaid.
pub const PF_REASON_OVER_CEILING: u8 = 15;
/// The issuer did not sign the credential.
pub const PF_REASON_BAD_ISSUER_SIGNATURE: u8 = 16;
/// The phone did not sign the code.
pub const PF_REASON_BAD_CODE_SIGNATURE: u8 = 17;
/// The gate has no bundle yet.
pub const PF_REASON_NO_BUNDLE: u8 = 32;
/// The bundle has expired.
pub const PF_REASON_BUNDLE_EXPIRED: u8 = 33;
/// The gate's clock is before the moment at which its bundle was signed.
pub const PF_REASON_CLOCK_BEHIND: u8 = 34;
/// The lane does not lead that way.
pub const PF_REASON_WRONG_DIRECTION: u8 = 35;
/// The card passed this way already and did not come back.
pub const PF_REASON_PASSBACK: u8 = 36;
/// The lot's risk budget.
pub const PF_REASON_RISK: u8 = 37;
/// There is no decision, as the call was not made: the status says why.
pub const PF_REASON_NO_DECISION: u8 = 255;
