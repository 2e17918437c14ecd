"""The typed face of the Rust core: every fact that must be the same on gate, server and phone comes from here.

The functions are total where a stranger chooses the input (verdicts never raise) and raise `ValueError` where the
caller broke a promise, such as a secret of the wrong length. Those that take more than microseconds release the GIL.
"""

from collections.abc import Sequence
from typing import Final, TypedDict, cast

from parkflow import _core
from parkflow._core import (
    ALGORITHM_ED25519,
    AccountHistory,
    BundleError,
    Code,
    CredentialCache,
    CredentialFields,
    Decision,
    DenyFilter,
    DenyList,
    Fee,
    FeeLine,
    FeeTable,
    Gate,
    IssuerKey,
    Judged,
    KeySet,
    LedgerError,
    LotQrFields,
    Pairing,
    Policy,
    ReplayCache,
    ScanEvent,
    SubjectKeys,
    Tariff,
    TariffError,
    TariffWarning,
    Terms,
    Transfer,
    Upload,
    UploadError,
    UploadPost,
    Verdict,
    charge_paid,
    charge_raised,
    charge_refunded,
    charge_waived,
    check_public_key,
    check_transfers,
    decode_base45,
    deposit_paid,
    deposit_refunded,
    ed25519_verify,
    ed25519_verify_batch,
    encode_base45,
    gate_reasons,
    issue_credential,
    judge_uploads,
    lot_qr_refusals,
    make_code,
    message_purposes,
    open_subject,
    overpayment_received,
    overpayment_refunded,
    pair_scans,
    public_key,
    public_key_refusal,
    read_code,
    read_upload,
    refusal_reasons,
    seal_subject,
    sign,
    sign_lot_qr,
    sign_message,
    verify_code,
    verify_codes,
    verify_message,
    written_off,
)
from parkflow._core import read_lot_qr as _read_lot_qr
from parkflow._core import verify_lot_qr as _verify_lot_qr
from parkflow.kit.errors import ParkflowError

__all__ = [
    "ALGORITHM_ED25519",
    "GATE_REASONS",
    "LOT_QR_REFUSALS",
    "PREFIX",
    "PRODUCT_PARKING",
    "PRODUCT_TRANSIT",
    "PURPOSES",
    "REASONS",
    "SUBJECT_BYTES",
    "AccountHistory",
    "BundleContent",
    "BundleError",
    "BundleKey",
    "BundleLane",
    "BundleLot",
    "BundleRiskRule",
    "Code",
    "CodeError",
    "CredentialCache",
    "CredentialFields",
    "Decision",
    "DenyFilter",
    "DenyList",
    "Fee",
    "FeeLine",
    "FeeTable",
    "Gate",
    "IssuerKey",
    "Judged",
    "KeySet",
    "LedgerError",
    "LotQrFields",
    "LotQrRefused",
    "OpenStay",
    "Pairing",
    "Policy",
    "ReplayCache",
    "ScanEvent",
    "SubjectKeys",
    "Tariff",
    "TariffError",
    "TariffWarning",
    "Terms",
    "Transfer",
    "Upload",
    "UploadError",
    "UploadPost",
    "Verdict",
    "charge_paid",
    "charge_raised",
    "charge_refunded",
    "charge_waived",
    "check_public_key",
    "check_transfers",
    "decode_base45",
    "decode_code",
    "deposit_paid",
    "deposit_refunded",
    "ed25519_verify",
    "ed25519_verify_batch",
    "encode_base45",
    "issue_credential",
    "judge_uploads",
    "make_code",
    "open_subject",
    "overpayment_received",
    "overpayment_refunded",
    "pair_scans",
    "public_key",
    "public_key_refusal",
    "read_lot_qr",
    "read_upload",
    "seal_subject",
    "sign",
    "sign_lot_qr",
    "sign_message",
    "verify_code",
    "verify_codes",
    "verify_lot_qr",
    "verify_message",
    "written_off",
]

# --- Codes and signatures -------------------------------------------------------------------------------------------

REASONS: Final[dict[int, str]] = dict(refusal_reasons())
"""Stable number -> stable name of each verdict, in the order of checking; 0 is `accepted`."""

PURPOSES: Final[tuple[str, ...]] = tuple(message_purposes())
"""What a message may be signed for; `bundle/1` puts `parkflow/bundle/1\\0` before it, unsent."""

PREFIX: Final = "PF1:"
"""What every code's text begins with."""

PRODUCT_PARKING: Final = 1
PRODUCT_TRANSIT: Final = 2


class CodeError(ParkflowError):
    """The text is not a parkflow code; `reason` is the name of what is wrong with it."""

    code = "code_unreadable"
    status = 422

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"this is not a parkflow code: {reason}")


def decode_code(text: str) -> Code:
    """Read a code without checking it: its word is not to be taken for true. Raises `CodeError`."""
    code, reason = read_code(text)
    if code is None:
        raise CodeError(REASONS[reason])
    return code


# --- Uploads --------------------------------------------------------------------------------------------------------
#
# `read_upload(body, scans_max)` reads a gate's upload strictly and gives an `Upload`: what it says of itself, and for
# each scan its content hash (SHA-256 of its RFC 8785 text, `seq` included) and the hash chain at it. It raises
# `UploadError`, whose `code` is `batch_malformed`, `batch_empty` or `batch_too_large`, whose `path` is the place
# (`scans.3.seq`) and whose text says both.
# `judge_uploads([(upload, post), …], now_ms)` gives our own verdict for every scan, each by its own time, and checks
# the codes of all uploads in one batch, each by the keys and rules of its `UploadPost` (`lane_direction` is `entry`,
# `exit` or `both`, `exit_denied` is `accept` or `pay`). `Judged` holds columns over all scans of all uploads in their
# order: `upload` is the place in the list, `result` is `accepted`, `replayed` or `rejected:<reason>`, `content` is the
# canonical text as evidence (a code cut to 400 characters and without NUL, a plate or ticket left out). `passage_*`
# are the genuine codes that were let through or that the gate stopped as replayed, with whose they are by its
# `SubjectKeys`; `unopened_row` the genuine codes, whatever became of them, whose subject opens to no possible card;
# `sighting_*` the scans by plate, ticket or hand that were let through. Whether an event or a code was seen before is
# not known here.
# `Judged.event_columns(of_upload)` and `passage_columns(of_upload, places=None)` are columns for a statement, a text or
# bytes each, since an object for each value costs more than the rest of keeping it: first the numbers of `of_upload`
# (one tuple an upload, as an array literal each), then of events `seq`, `content_sha256`, `chain_sha256` (32 bytes a
# row), `at_ms`, `direction`, `medium`, `content`, `gate_verdict`, `result` (joined by U+001F); of passages `bucket`,
# `seq`, `card_id`, `direction`, `at_ms`, `code_id` (16 bytes a row), `serial`, `code_key` (32 bytes a row).

# --- Bundles and gates ----------------------------------------------------------------------------------------------

SUBJECT_BYTES: Final = 16
"""Length of a sealed subject; lists of them are joined bytes, a million of which are one object."""

GATE_REASONS: Final[dict[int, str]] = {number: name for number, name, _ in gate_reasons()}
"""Stable number -> stable name of every reason of a gate: those of `REASONS`, and from 32 on a gate's own."""


class BundleKey(TypedDict):
    """An issuer key; `product` 0 = any, `algorithm` is `ALGORITHM_ED25519`, times are unix seconds."""

    kid: int
    operator_id: int
    product: int
    algorithm: int
    not_before_s: int
    not_after_s: int
    public_key: bytes


class BundleRiskRule(TypedDict):
    """From this ceiling (whole units; no limit is above all), code age and bundle age on: `flag` or `refuse`."""

    ceiling_from: int
    code_age_from_s: int
    bundle_age_from_s: int
    outcome: str


class BundleLane(TypedDict):
    """A lane and where it leads: `entry`, `exit` or `both`."""

    lane_id: int
    direction: str


class BundleLot(TypedDict):
    """The settings of a lot; `exit_denied` is `accept` or `pay`, `passback_s` 0 = no anti-passback."""

    lot_id: int
    product: int
    code_age_max_s: int
    skew_s: int
    exit_denied: str
    passback_s: int
    risk: Sequence[BundleRiskRule]
    lanes: Sequence[BundleLane]


class BundleContent(TypedDict):
    """What a bundle says; `filter` is SHA-256 and length of the deny filter, `denied` and `cleared` joined subjects."""

    operator_id: int
    version: int
    issued_at_s: int
    expires_at_s: int
    keys: Sequence[BundleKey]
    lots: Sequence[BundleLot]
    filter: tuple[bytes, int] | None
    denied: bytes
    cleared: bytes


def seal_bundle(root_secret: bytes, content: BundleContent) -> bytes:
    """The bundle of this content, whose lists may be in any order, signed by the operator's root key.

    Content in canonical form, then 64 bytes of signature for the purpose `bundle/1`; docs/code-format.md has the bytes.
    Raises ValueError for doubles in a list and for numbers that do not fit.
    """
    return _core.seal_bundle(root_secret, content)


def open_bundle(root_key: bytes, bundle: bytes) -> BundleContent:
    """The content of a bundle that the root key signed. Raises ValueError with the name of the refusal."""
    return cast(BundleContent, _core.open_bundle(root_key, bundle))


# `DenyFilter.build(subjects)` makes the binary fuse filter over joined subjects: the same set gives the same bytes.
# `Gate` is the gate library: `take_bundle` raises `BundleError` whose `code` names the refusal (`filter_missing`: fetch
# the filter of `filter_of(bundle)` and call again with it); `decide` never raises, whatever the text is.


# --- Lot QRs --------------------------------------------------------------------------------------------------------
#
# `LotQrFields` says whose sign it is (operator, lot, lane), what it is for (`entry`, `prepay` or `exit`) and when it
# was signed; `sign_lot_qr(root_secret, fields)` gives the text of 151 characters.

LOT_QR_REFUSALS: Final[dict[int, str]] = dict(lot_qr_refusals())
"""Stable number -> stable name of why a text is no lot QR, in the order of checking."""


class LotQrRefused(ParkflowError):
    """The sign's QR code is not the operator's; `reason` is the name of what is wrong with it."""

    code = "lot_qr_refused"
    status = 422

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"this is no QR code of a lot of ours: {reason}")


def read_lot_qr(text: str) -> LotQrFields:
    """Read a lot QR without checking it, to learn whose root key verifies it. Raises `LotQrRefused`."""
    return _said(*_read_lot_qr(text))


def verify_lot_qr(text: str, root_key: bytes) -> LotQrFields:
    """What a lot QR says, signed by the holder of `root_key`. Raises `LotQrRefused`."""
    return _said(*_verify_lot_qr(text, root_key))


def _said(fields: LotQrFields | None, refusal: int) -> LotQrFields:
    if fields is None:
        raise LotQrRefused(LOT_QR_REFUSALS[refusal])
    return fields


# --- Tariffs --------------------------------------------------------------------------------------------------------
#
# `Tariff.load(text)` reads PTL/1 (YAML or JSON) once; `price` gives the fee with its lines, `price_many` only the
# fees of lists of stays. Instants are seconds since 1970 in UTC, money is minor units of the tariff's currency. They
# raise `TariffError` with a stable `code`, the `path` of the field (or `stays[n]`) and one line saying what would be
# right. A text may start from one of the `templates` (name -> text); its `canonical_json` no longer does.
# `price_batch(stays)` takes any table with the Arrow PyCapsule interface (polars, pyarrow, pandas >= 3, DuckDB) and
# reads its columns where they lie: `entry` and `exit` (int64 seconds since 1970 UTC, or timestamps with a zone; a
# begun second counts from its start), optionally `vehicle_class` (text), `tags` (lists of text) and `account` (whole
# numbers, text or bytes). It gives a `FeeTable`, a table with the same interface: in each row `fee_minor` or, null
# otherwise, the code of the `refusal`; `refusals` counts those. The stays of one account are settled in order of
# their exits, then of their rows (S20), when the tariff `needs_history`; rows without account stand alone. `threads`
# (default: all cores) never changes a result. A column of another type raises `TariffError` `stays_invalid`.
# `instant_s` reads a local or an offset time for people, `local_text` writes one; a fee never depends on either.
# `settle` prices the next stay of an account: with `Terms` (covered [from, to) by a pass, vouchers (kind, value),
# payments (at, amount)) and the `AccountHistory` of its settled stays, to which it adds; the fee is then what is due.
# A tariff that `needs_history` (caps, free minutes or re-entry over several stays) is refused by `price`, not
# misread. `AccountHistory.to_json()` is its canonical text, `from_json` reads it back (`TariffError`,
# `history_invalid`); `forget_before(instant_s, window_s)` drops windows that ended before, `window_s` being the
# longest `shared_window_s`. A tariff with `valid` prices only stays whose entry (exit, by `version_at`) lies in
# [`valid_from_s`, `valid_to_s`). `warnings` say what a valid tariff's author may not mean: `code` of the rule,
# `path`, `line` (from 1) and `message`. `Fee.to_json()` is the canonical record that is stored with a charge: the
# same inputs give the same bytes. Its `history`, where there is one, is what of the account's history before the stay
# the fee depends on.

# --- Stays ----------------------------------------------------------------------------------------------------------

OpenStay = ScanEvent
"""The stay that is open so far, by its entry scan."""

# `pair_scans(groups)` takes the scans of one card in one lot as one group: the open stay or None, and scans in any
# order.
# Scans that were held (`awaiting_entry`) are given again with later ones; an entry in `missing_exit` too, until a later
# stay of the group is closed.

# --- Ledger ---------------------------------------------------------------------------------------------------------
#
# The nine constructors are the only way to make a `Transfer`; (code, reference) is unique in the ledger.
# `check_transfers` gives the change of each account by a batch (kind, owner, debits less credits), or raises
# `LedgerError`.
