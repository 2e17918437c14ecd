"""The typed face of the Rust core: every fact that must be the same on gate, server and phone comes from here.

The functions are total where a stranger chooses the input (verdicts never raise) and raise `ValueError` where the
caller broke a promise, such as a secret of the wrong length. Those that take more than microseconds release the GIL.
"""

from typing import Final

# --- Codes and signatures -------------------------------------------------------------------------------------------
from parkflow._core import (
    Code,
    CredentialFields,
    DenyList,
    IssuerKey,
    KeySet,
    Policy,
    ReplayCache,
    Verdict,
    check_public_key,
    decode_base45,
    ed25519_verify,
    ed25519_verify_batch,
    encode_base45,
    issue_credential,
    make_code,
    message_purposes,
    open_subject,
    public_key,
    read_code,
    refusal_reasons,
    seal_subject,
    sign,
    sign_message,
    verify_code,
    verify_codes,
    verify_message,
)
from parkflow.kit.errors import ParkflowError

__all__ = [
    # Codes and signatures.
    "PREFIX",
    "PRODUCT_PARKING",
    "PRODUCT_TRANSIT",
    "PURPOSES",
    "REASONS",
    "Code",
    "CodeError",
    "CredentialFields",
    "DenyList",
    "IssuerKey",
    "KeySet",
    "Policy",
    "ReplayCache",
    "Verdict",
    "check_public_key",
    "decode_base45",
    "decode_code",
    "ed25519_verify",
    "ed25519_verify_batch",
    "encode_base45",
    "issue_credential",
    "make_code",
    "open_subject",
    "public_key",
    "seal_subject",
    "sign",
    "sign_message",
    "verify_code",
    "verify_codes",
    "verify_message",
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
