"""What each reason of a verdict means, and what driver and gate maker do about it, in words for people."""

from typing import Final, NamedTuple


class ReasonText(NamedTuple):
    """One line each; `driver` is what a display may say, `gate_maker` what to look at when it comes too often."""

    meaning: str
    driver: str
    gate_maker: str


_SCAN_AGAIN: Final = "show the code again, whole and without glare"
_READER: Final = "check that the reader delivers the QR's text unchanged: no line end, no change of case or characters"

TEXTS: Final[dict[str, ReasonText]] = {
    "accepted": ReasonText(
        "the code is good",
        "drive on",
        "write the code_id into the replay memory and the scan into the journal, then open",
    ),
    "too_long": ReasonText(
        "the text has more than 400 bytes; a code has 298", "show the parkflow code and no other QR code", _READER
    ),
    "bad_prefix": ReasonText(
        "the text does not begin with PF1:",
        "show the parkflow code and no other QR code",
        "foreign QR codes are daily life; if all codes end here, check what the reader puts before the text",
    ),
    "bad_base45": ReasonText("what follows PF1: is not the Base45 of any bytes (RFC 9285)", _SCAN_AGAIN, _READER),
    "bad_length": ReasonText("the text decodes to another number of bytes than 196", _SCAN_AGAIN, _READER),
    "bad_version": ReasonText(
        "the first byte is a version that this gate does not know",
        "ask the staff; this gate is not up to date",
        "update the gate's software: a newer format is in use",
    ),
    "unknown_kid": ReasonText(
        "the bundle has no issuer key of this number",
        "check that the card is good at this operator",
        "fetch the newest bundle; if the kid stays unknown, the card is another operator's or the code is forged",
    ),
    "kid_expired": ReasonText(
        "the code was made after the end of its issuer key's window",
        "go online once: the phone fetches a new credential",
        "nothing to do: the key has ended, by its age or because it was retired",
    ),
    "not_yet_valid": ReasonText(
        "the code was made before the window of its credential or of its issuer key",
        "set the phone's clock to automatic, then show a new code",
        "nothing to do for one phone; the gate's own clock plays no part in this reason",
    ),
    "credential_expired": ReasonText(
        "the code was made after the end of its credential, or the credential is for more than 72 hours",
        "go online once: the phone fetches a new credential",
        "nothing to do; the gate's own clock plays no part in this reason",
    ),
    "code_stale": ReasonText(
        "the code is older than the lot's policy allows: a screenshot, or a clock that is behind",
        "open the app and show the live code; set the phone's clock to automatic",
        "if many codes are stale, the gate's clock is ahead: check its time source",
    ),
    "code_from_future": ReasonText(
        "the code's moment is ahead of the gate's clock by more than the skew",
        "set the phone's clock to automatic, then show a new code",
        "if many codes are from the future, the gate's clock is behind: check its time source",
    ),
    "denied": ReasonText(
        "the credential is on the deny list: the card is frozen or being returned, or the phone was revoked",
        "look into the app: it says why, and what to pay if something is open",
        "refuse at entries; at exits obey the lot's setting exit_denied, and report the scan in either case",
    ),
    "replayed": ReasonText(
        "this very code was let through here before",
        "wait for the next code: a new one comes every 15 seconds",
        "write the replay memory only after acceptance, or a second try at the reader is refused",
    ),
    "wrong_product": ReasonText(
        "the credential is for another product than this gate's or this issuer key's",
        "show the code of the right product: parking or transit",
        "check the lot's product in the bundle",
    ),
    "over_ceiling": ReasonText(
        "the fee is more than the credential lets out unpaid",
        "pay at the machine or in the app, then leave",
        "give the fee in whole currency units, rounded up, and none where no fee is known, as at entries",
    ),
    "bad_issuer_signature": ReasonText(
        "the issuer did not sign this credential",
        "go online once: the phone fetches a new credential; else ask the staff",
        "check the prefix, the 62 signed bytes and the key; otherwise it is a forgery: keep the scan as evidence",
    ),
    "bad_code_signature": ReasonText(
        "the credential's code key did not sign this code",
        "close and open the app, then show a new code",
        "check the prefix and the 132 signed bytes; otherwise it is a forgery: keep the scan as evidence",
    ),
    "no_bundle": ReasonText(
        "the gate has no bundle yet",
        "use the help button: the gate is not in service",
        "fetch the bundle; what a refusal of it says is the thing to look at",
    ),
    "bundle_expired": ReasonText(
        "the gate has had no new bundle for three days; cars still go out, flagged",
        "use the help button: the gate is not in service",
        "look at the gate's line, and at its clock: a clock that runs ahead ends bundles early",
    ),
    "clock_behind": ReasonText(
        "the gate's clock is before the moment at which its bundle was signed",
        "use the help button: the gate is not in service",
        "set the gate's clock (NTP or GNSS) and look at its battery",
    ),
    "wrong_direction": ReasonText(
        "the lane does not lead that way",
        "use the other lane",
        "check which lane the gate was installed for, and what the reader reports as direction",
    ),
    "passback": ReasonText(
        "the card passed here in this direction a moment ago and has not come back",
        "one card is for one car; if the barrier came down too early, wait a minute or use the help button",
        "tell the gate of passages at the lot's other lanes; the lot's passback_seconds sets how long it counts",
    ),
    "risk": ReasonText(
        "the code is good, and the lot's risk rules want more certainty: the gate has heard nothing for too long",
        "use the help button",
        "look at the gate's line; the rules are in the lot's policy",
    ),
}
"""By the stable name of the reason; `core.GATE_REASONS` has the numbers."""
