/*
 * parkflow's gate library: bundles in, one decision about each code out, no network.
 *
 * Written from the Rust source; do not edit. README.md beside this folder says how to build and link.
 *
 * The way of a gate
 *   pf_gate_new, pf_gate_load, pf_gate_note_passage for the last minutes of the journal;
 *   then pf_gate_take_bundle whenever the service has a newer one, and pf_gate_decide for every code.
 *
 * What holds for every function
 *   Pointers: NULL is answered with PF_ERROR_NULL, except where NULL is said to mean something. Another pointer must
 *     point to what it says, for the length that is given or that the struct's struct_size says, during the call.
 *     Nothing is kept of it after the call. Alignment does not matter.
 *   Memory: the caller owns everything but the handle; there is nothing to free but that. Strings that are returned
 *     live as long as the process.
 *   Structs: set struct_size to the sizeof before the call. Later versions only add fields at the end.
 *   Threads: a handle is used by one thread at a time, any thread. A call that meets another one on the same handle
 *     does nothing and answers PF_ERROR_BUSY. Different handles have nothing to do with each other.
 *   Failure: no call ever unwinds or aborts because of its arguments' values. A status that is not PF_DONE means that
 *     the call changed nothing in the gate. Numbers that are not listed here may come from a later library: treat an unknown
 *     status as an error, an unknown reason as a refusal's or flag's reason.
 *   Time: the library reads no clock. now_s is always the gate's own, in unix seconds.
 */

#ifndef PARKFLOW_GATE_H
#define PARKFLOW_GATE_H

#include <stddef.h>
#include <stdint.h>

// Version of these functions and structs. It rises when something is added; what is there stays as it is.
#define PF_ABI_VERSION 1

// Length of a subject and of a code id.
#define PF_ID_BYTES 16

// Length of a filter's name, a SHA-256.
#define PF_SHA256_BYTES 32

// Longest folder name, without its final zero.
#define PF_FOLDER_BYTES_MAX 4096

// Longest stem, without its final zero.
#define PF_STEM_BYTES_MAX 64

// Into the lot.
#define PF_ENTRY 1

// Out of the lot.
#define PF_EXIT 2

// Stay shut. It is 0, so that memory that nobody wrote opens nothing.
#define PF_REFUSE 0

// Open.
#define PF_ACCEPT 1

// Open, and tell the service that somebody should look at it: the reason says why.
#define PF_ACCEPT_AND_FLAG 2

// The code is good.
#define PF_REASON_ACCEPTED 0

// The text is longer than any code.
#define PF_REASON_TOO_LONG 1

// Not a code of parkflow.
#define PF_REASON_BAD_PREFIX 2

// Not the Base45 of any bytes.
#define PF_REASON_BAD_BASE45 3

// Not the length of a code.
#define PF_REASON_BAD_LENGTH 4

// A version of codes that this library does not know.
#define PF_REASON_BAD_VERSION 5

// The bundle has no such issuer key.
#define PF_REASON_UNKNOWN_KID 6

// The code was made after the issuer key's window.
#define PF_REASON_KID_EXPIRED 7

// The code was made before the credential's or the issuer key's window.
#define PF_REASON_NOT_YET_VALID 8

// The code was made after the credential's window.
#define PF_REASON_CREDENTIAL_EXPIRED 9

// The code is too old: a screenshot.
#define PF_REASON_CODE_STALE 10

// The code is from the future by more than clocks may differ.
#define PF_REASON_CODE_FROM_FUTURE 11

// The card is denied; see `certain`.
#define PF_REASON_DENIED 12

// This very code was let through before.
#define PF_REASON_REPLAYED 13

// The code is for something else than parking here.
#define PF_REASON_WRONG_PRODUCT 14

// The fee is more than the card may leave unpaid.
#define PF_REASON_OVER_CEILING 15

// The issuer did not sign the credential.
#define PF_REASON_BAD_ISSUER_SIGNATURE 16

// The phone did not sign the code.
#define PF_REASON_BAD_CODE_SIGNATURE 17

// The gate has no bundle yet.
#define PF_REASON_NO_BUNDLE 32

// The bundle has expired.
#define PF_REASON_BUNDLE_EXPIRED 33

// The gate's clock is before the moment at which its bundle was signed.
#define PF_REASON_CLOCK_BEHIND 34

// The lane does not lead that way.
#define PF_REASON_WRONG_DIRECTION 35

// The card passed this way already and did not come back.
#define PF_REASON_PASSBACK 36

// The lot's risk budget.
#define PF_REASON_RISK 37

// There is no decision, as the call was not made: the status says why.
#define PF_REASON_NO_DECISION 255

// One gate: its bundle and what it remembers. Made by `pf_gate_new`, freed by `pf_gate_free`.
typedef struct pf_gate pf_gate;

// What a call came to: `PF_DONE`, why a bundle was refused (`PF_BUNDLE_...`, 1 to 99), or why the call was not made
// (`PF_ERROR_...`, from 100).
typedef int32_t pf_status;

// Where a gate stands.
typedef struct pf_post {
    // `sizeof(pf_post)`.
    uint32_t struct_size;
    // The operator's root public key (Ed25519), which signs its bundles. Set when the gate is installed.
    uint8_t root_key[32];
    // The gate's lot.
    uint64_t lot_id;
    // The gate's lane.
    uint64_t lane_id;
} pf_post;

// How much a gate remembers; each entry takes about 100 bytes, a credential about 300, once it is used.
typedef struct pf_capacities {
    // `sizeof(pf_capacities)`.
    uint32_t struct_size;
    // Codes that were let through; 4096 where no capacities are given.
    uint32_t replays;
    // Cards and their last passage; 8192 where no capacities are given.
    uint32_t passages;
    // Credentials that were verified, which halves the work for their next code; 1024 where no capacities are given.
    uint32_t credentials;
} pf_capacities;

// A decision about a code.
//
// Set `struct_size`, give it to `pf_gate_decide`, and read the rest. Fields behind `has_code` are what the code says
// of itself: take them for true only if the barrier opens.
typedef struct pf_decision {
    // `sizeof(pf_decision)`; the library never writes more.
    uint32_t struct_size;
    // `PF_REFUSE`, `PF_ACCEPT` or `PF_ACCEPT_AND_FLAG`.
    uint8_t outcome;
    // `PF_REASON_...`: why the barrier stays shut, or what was flagged.
    uint8_t reason;
    // 0 if the denial rests on the filter alone, which hits one in 256 others. A gate with a line asks the service
    // before it turns the car away; see `pf_gate_clear`. Else 1.
    uint8_t certain;
    // 1 if the text could be read as a code, so that the fields below mean something; else 0, and they are zero.
    uint8_t has_code;
    // The replay key: one value per code, whatever its signature looks like.
    uint8_t code_id[PF_ID_BYTES];
    // The sealed card; only the service can open it, and `pf_gate_clear` takes it.
    uint8_t subject[PF_ID_BYTES];
    // The issuer key that the code names.
    uint32_t kid;
    // When the phone made the code, unix seconds.
    uint32_t issued_at_s;
    // Largest fee that may be left unpaid, whole currency units; 0 = no limit.
    uint16_t ceiling;
    // What the code is for.
    uint8_t product;
    // Zero.
    uint8_t reserved;
} pf_decision;

// Done.
#define PF_DONE 0

// The bundle is longer than any bundle.
#define PF_BUNDLE_TOO_LONG 1

// The operator's root key did not sign the bundle.
#define PF_BUNDLE_BAD_SIGNATURE 2

// The bundle is of a format that this library does not know.
#define PF_BUNDLE_BAD_FORMAT 3

// The bytes are no bundle.
#define PF_BUNDLE_MALFORMED 4

// The bundle holds an issuer key that is none.
#define PF_BUNDLE_BAD_KEY 5

// The bundle's version is not above the one in use.
#define PF_BUNDLE_NOT_NEWER 6

// The bundle has expired.
#define PF_BUNDLE_EXPIRED 7

// The bundle does not know the gate's lot or lane.
#define PF_BUNDLE_UNKNOWN_LANE 8

// The bundle goes with a filter that the gate does not have: fetch it, then call again with both.
#define PF_BUNDLE_FILTER_MISSING 9

// The bytes given as the filter are not the ones that the bundle names.
#define PF_BUNDLE_BAD_FILTER 10

// The bundle could not be written to the disk, so it is not used.
#define PF_BUNDLE_NOT_STORED 11

// A pointer is NULL that must not be.
#define PF_ERROR_NULL 100

// A struct's `struct_size` is not set, or smaller than that of any version of the struct.
#define PF_ERROR_STRUCT_SIZE 101

// A string is too long, not UTF-8, or (the stem) empty or more than a plain file name.
#define PF_ERROR_STRING 102

// The root key is not a public key.
#define PF_ERROR_ROOT_KEY 103

// The direction is neither `PF_ENTRY` nor `PF_EXIT`.
#define PF_ERROR_DIRECTION 104

// The fee is below -1 or above 4294967295.
#define PF_ERROR_FEE 105

// The text is not that of a code.
#define PF_ERROR_CODE 106

// The disk could not be read.
#define PF_ERROR_DISK 107

// Another thread is using the handle.
#define PF_ERROR_BUSY 108

// A defect of the library, in this call or an earlier one. The handle answers nothing else from now on: free it, make
// a new one, load.
#define PF_ERROR_PANICKED 109

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Makes a gate without a bundle; call `pf_gate_load` next.
//
// `post`: where the gate stands. `capacities`: NULL for the usual ones. `folder`: an existing folder on a disk that
// keeps what it has synced; UTF-8, at most `PF_FOLDER_BYTES_MAX` bytes; NULL = no disk, so that a restart forgets the
// bundle, which is for tests only. `stem`: what the gate's file names begin with, so that several gates may share a
// folder; a plain file name of at most `PF_STEM_BYTES_MAX` bytes; not read if `folder` is NULL. `gate_out`: receives
// the handle, or NULL if there is none.
//
// Answers `PF_DONE`, `PF_ERROR_NULL`, `PF_ERROR_STRUCT_SIZE`, `PF_ERROR_STRING` or `PF_ERROR_ROOT_KEY`.
pf_status pf_gate_new(const struct pf_post *post,
                      const struct pf_capacities *capacities,
                      const char *folder,
                      const char *stem,
                      struct pf_gate **gate_out);

// Frees a gate; NULL is allowed. Its bundle stays on the disk. No other call may use the handle at the time or later.
void pf_gate_free(struct pf_gate *gate);

// Takes up the bundle that is on the disk, expired or not. Call it once, after `pf_gate_new`.
//
// `found_out`: 1 if there was one, else 0.
//
// Answers `PF_DONE`; `PF_ERROR_DISK` if the disk could not be read; or the `PF_BUNDLE_...` that is wrong with what is
// on it. The gate then has no bundle, and needs one from the service before it opens.
pf_status pf_gate_load(struct pf_gate *gate, uint8_t *found_out);

// Uses a bundle from now on, if the root key signed it, its version is higher than the one in use and it has not
// expired.
//
// `bundle`: the bytes as the service sent them. `filter`: the bytes of the filter that it goes with; NULL and 0 if the
// gate has it, or to learn by `PF_BUNDLE_FILTER_MISSING` that it does not. `now_s`: the gate's clock, unix seconds.
// `version_out`: the bundle's version.
//
// Both are synced to the disk before they are used. Whatever is refused changes nothing: the bundle in use stays.
//
// Answers `PF_DONE`, any `PF_BUNDLE_...`, or an error.
pf_status pf_gate_take_bundle(struct pf_gate *gate,
                              const uint8_t *bundle,
                              size_t bundle_len,
                              const uint8_t *filter,
                              size_t filter_len,
                              int64_t now_s,
                              uint64_t *version_out);

// Which filter a bundle goes with, so that it can be fetched by its name.
//
// `sha256_out`: 32 bytes of room for the SHA-256 of the filter's bytes, zeros if there is none. `has_out`: 1 if the
// bundle goes with a filter, else 0.
//
// Answers `PF_DONE`, or `PF_BUNDLE_...` if it is no bundle of this operator.
pf_status pf_gate_filter_of(struct pf_gate *gate,
                            const uint8_t *bundle,
                            size_t bundle_len,
                            uint8_t *sha256_out,
                            uint8_t *has_out);

// Notes that the service just said that the bundle in use is its newest: the lot's risk rules go by that.
//
// Answers `PF_DONE` or an error.
pf_status pf_gate_confirm_bundle(struct pf_gate *gate, int64_t now_s);

// The version of the bundle in use; 0 before the first bundle.
//
// Answers `PF_DONE` or an error.
pf_status pf_gate_bundle_version(struct pf_gate *gate, uint64_t *version_out);

// First second at which the bundle in use lets nobody in any more, unix time; 0 before the first bundle.
//
// Answers `PF_DONE` or an error.
pf_status pf_gate_bundle_expires_at_s(struct pf_gate *gate, uint64_t *expires_at_s_out);

// Decides about one code. If the barrier opens, the code and the card's passage are remembered.
//
// `text`: what the scanner read, any bytes of any length, not NULL. `direction`: `PF_ENTRY` or `PF_EXIT`.
// `fee_due_units`: the fee to be let out unpaid, whole currency units rounded up; -1 where it is not known. `now_s`:
// the gate's clock, unix seconds. `out`: the decision.
//
// Open the barrier only if the answer is `PF_DONE` and `out->outcome` is `PF_ACCEPT` or `PF_ACCEPT_AND_FLAG`, and only
// after the passage is in the gate's own journal on the disk. Whenever `out` can be written and the answer is not
// `PF_DONE`, `out->outcome` is `PF_REFUSE`.
pf_status pf_gate_decide(struct pf_gate *gate,
                         const uint8_t *text,
                         size_t text_len,
                         int32_t direction,
                         int64_t fee_due_units,
                         int64_t now_s,
                         struct pf_decision *out);

// Notes that the service just said that this subject, which the filter hits, is not denied. Then decide again: the
// code was not used up. It holds until the next filter.
//
// `subject`: 16 bytes, as in the decision.
//
// Answers `PF_DONE` or an error.
pf_status pf_gate_clear(struct pf_gate *gate, const uint8_t *subject);

// Notes a passage that another gate of the lot let through, or this one before it was restarted: so that the code is
// not taken again, and the card does not pass twice the same way. Call it for the passages of the last minutes in the
// journal after `pf_gate_load`.
//
// `text`: the code, as the scanner read it. `direction`: `PF_ENTRY` or `PF_EXIT`. `at_s`: when, unix seconds.
//
// Answers `PF_DONE`, `PF_ERROR_CODE`, or another error.
pf_status pf_gate_note_passage(struct pf_gate *gate,
                               const uint8_t *text,
                               size_t text_len,
                               int32_t direction,
                               int64_t at_s);

// The version of the library that is linked, to be compared with `PF_ABI_VERSION` of the header: the library's must
// not be lower.
uint32_t pf_abi_version(void);

// The stable name of a reason, such as `code_stale`; `unknown` for other numbers. Never NULL, never to be freed.
const char *pf_reason_name(uint32_t reason);

// What the display says to the driver, in English; gate makers translate by number. `unknown` for other numbers.
// Never NULL, never to be freed.
const char *pf_reason_display(uint32_t reason);

// The stable name of a status from 1 to 99 (`PF_BUNDLE_...`), such as `filter_missing`; `unknown` for other numbers.
// Never NULL, never to be freed.
const char *pf_bundle_refusal_name(int32_t status);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* PARKFLOW_GATE_H */

/* Where these fail, the compiler packs structs in a way that the library does not. */
#if defined(__cplusplus) ? __cplusplus >= 201103L : __STDC_VERSION__ >= 201112L
#ifdef __cplusplus
#define PF_SIZE_IS(type, bytes) static_assert(sizeof(type) == (bytes), #type)
#else
#define PF_SIZE_IS(type, bytes) _Static_assert(sizeof(type) == (bytes), #type)
#endif
PF_SIZE_IS(struct pf_post, 56);
PF_SIZE_IS(struct pf_capacities, 16);
PF_SIZE_IS(struct pf_decision, 52);
#undef PF_SIZE_IS
#endif
