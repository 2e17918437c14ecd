"""The typed face of the Rust core: every fact that must be the same on gate, server and phone comes from here.

The functions are total where a stranger chooses the input (verdicts never raise) and raise `ValueError` where the
caller broke a promise, such as a secret of the wrong length. Those that take more than microseconds release the GIL.
"""

from typing import Final

from parkflow._core import (
    AccountHistory,
    Code,
    CredentialCache,
    CredentialFields,
    DenyList,
    Fee,
    FeeLine,
    IssuerKey,
    KeySet,
    LedgerError,
    Pairing,
    Policy,
    ReplayCache,
    ScanEvent,
    Tariff,
    TariffError,
    Terms,
    Transfer,
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
    issue_credential,
    make_code,
    message_purposes,
    open_subject,
    overpayment_received,
    overpayment_refunded,
    pair_scans,
    public_key,
    public_key_refusal,
    read_code,
    refusal_reasons,
    seal_subject,
    sign,
    sign_message,
    verify_code,
    verify_codes,
    verify_message,
    written_off,
)
from parkflow.kit.errors import ParkflowError

__all__ = [
    "PREFIX",
    "PRODUCT_PARKING",
    "PRODUCT_TRANSIT",
    "PURPOSES",
    "REASONS",
    "AccountHistory",
    "Code",
    "CodeError",
    "CredentialCache",
    "CredentialFields",
    "DenyList",
    "Fee",
    "FeeLine",
    "IssuerKey",
    "KeySet",
    "LedgerError",
    "OpenStay",
    "Pairing",
    "Policy",
    "ReplayCache",
    "ScanEvent",
    "Tariff",
    "TariffError",
    "Terms",
    "Transfer",
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
    "make_code",
    "open_subject",
    "overpayment_received",
    "overpayment_refunded",
    "pair_scans",
    "public_key",
    "public_key_refusal",
    "seal_subject",
    "sign",
    "sign_message",
    "verify_code",
    "verify_codes",
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


# --- Tariffs --------------------------------------------------------------------------------------------------------
#
# `Tariff.load(text)` reads PTL/1 (YAML or JSON) once; `price` gives the fee with its lines, `price_batch` only fees.
# Instants are seconds since 1970 in UTC, money is minor units of the tariff's currency. Both raise `TariffError` with a
# stable `code`, the `path` of the field (or `stays[n]` of a batch) and one line saying what would be right.
# `instant_s` reads a local or an offset time for people, `local_text` writes one; a fee never depends on either.
# `settle` prices the next stay of an account: with `Terms` (covered [from, to) by a pass, vouchers (kind, value),
# payments (at, amount)) and the `AccountHistory` of its settled stays, to which it adds; the fee is then what is due.
# A tariff that `needs_history` (caps, free minutes or re-entry over several stays) is refused by `price`, not misread.
# `Fee.to_json()` is the canonical record that is stored with a charge: the same inputs give the same bytes.

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
