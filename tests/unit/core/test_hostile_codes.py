"""Ten thousand hostile codes, a fifth of each kind: none is accepted, and each is refused for a reason of its kind."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import pytest

from parkflow import core

PER_KIND = 2_000
NOON_S = 1_792_497_600
ORDER = 2**252 + 27742317777372353535851937790883648493
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
VERSION = b"\x01"

PARKING_KID, ANY_KID, UNKNOWN_KID = 3, 4, 5
ISSUER_SECRETS = {kid: bytes([kid]) * 32 for kid in (PARKING_KID, ANY_KID, UNKNOWN_KID)}
KEYS = core.KeySet(
    [
        core.IssuerKey(PARKING_KID, core.public_key(ISSUER_SECRETS[PARKING_KID]), 1, core.PRODUCT_PARKING, 0, 2**33),
        core.IssuerKey(ANY_KID, core.public_key(ISSUER_SECRETS[ANY_KID]), 2, None, 0, 2**33),
    ]
)
POLICY = core.Policy(product=core.PRODUCT_PARKING)


@dataclass(frozen=True)
class Shown:
    """A text shown to a gate at a moment, and the reasons that its refusal may have."""

    text: str
    reasons: frozenset[str]
    at_s: int = NOON_S


@dataclass(frozen=True)
class Phone:
    """A phone with a good credential, as a thief of one knows it."""

    secret: bytes
    credential: bytes

    @property
    def claims(self) -> bytes:
        return self.credential[:62]


def claims_of(code_key: bytes, *, subject: bytes, kid: int = PARKING_KID, product: int = core.PRODUCT_PARKING) -> bytes:
    """What an issuer signs in a credential, byte by byte, so that it can be made wrong as well."""
    window = (NOON_S - 3_600).to_bytes(4, "big") + (1_440).to_bytes(2, "big")
    return VERSION + kid.to_bytes(4, "big") + subject + code_key + window + bytes([product, 0, 0])


def new_phone(random: Random) -> Phone:
    secret = random.randbytes(32)
    claims = claims_of(core.public_key(secret), subject=random.randbytes(16))
    return Phone(secret, claims + core.sign_message(ISSUER_SECRETS[PARKING_KID], "credential/1", claims))


def moment(random: Random, issued_at_s: int = NOON_S) -> bytes:
    return issued_at_s.to_bytes(4, "big") + random.randbytes(2)


def proven(signed: bytes, secret: bytes, purpose: str = "code/1") -> bytes:
    return signed + core.sign_message(secret, purpose, signed)


def text_of(content: bytes) -> str:
    return core.PREFIX + core.encode_base45(content)


def good_code(random: Random, phones: list[Phone]) -> bytes:
    phone = random.choice(phones)
    return proven(phone.credential + moment(random), phone.secret)


def refused(content: bytes, *reasons: str) -> Shown:
    return Shown(text_of(content), frozenset(reasons))


# --- The kinds ------------------------------------------------------------------------------------------------------

# First byte after each field of a code, and why a code with that field changed may be refused.
FIELDS = (
    (1, {"bad_version"}),
    (5, {"unknown_kid", "bad_issuer_signature"}),
    (53, {"bad_issuer_signature"}),
    (57, {"bad_issuer_signature", "not_yet_valid", "credential_expired"}),
    (59, {"bad_issuer_signature", "credential_expired"}),
    (60, {"wrong_product"}),
    (126, {"bad_issuer_signature"}),
    (130, {"bad_code_signature", "not_yet_valid", "credential_expired", "code_stale", "code_from_future"}),
    (196, {"bad_code_signature"}),
)


def reasons_of(content: bytes, changed: bytes) -> frozenset[str]:
    places = [place for place in range(len(content)) if content[place] != changed[place]]
    fields = [next(reasons for end, reasons in FIELDS if place < end) for place in places]
    return frozenset(reason for reasons in fields for reason in reasons)


def mutated_byte(random: Random, phones: list[Phone]) -> Shown:
    content = good_code(random, phones)
    place = random.randrange(196)
    changed = content[:place] + bytes([content[place] ^ random.randrange(1, 256)]) + content[place + 1 :]
    return Shown(text_of(changed), reasons_of(content, changed))


def mutated_character(random: Random, phones: list[Phone]) -> Shown:
    content = good_code(random, phones)
    text = text_of(content)
    place = random.randrange(len(text))
    # Mostly letters that a code may have: the others end the reading at once.
    letters = ALPHABET if random.randrange(4) else [chr(number) for number in range(256)]
    letter = random.choice([letter for letter in letters if letter != text[place]])
    changed = text[:place] + letter + text[place + 1 :]
    if place < len(core.PREFIX):
        return Shown(changed, frozenset({"bad_prefix"}))
    try:
        return Shown(changed, reasons_of(content, core.decode_base45(changed[len(core.PREFIX) :])))
    except ValueError:
        return Shown(changed, frozenset({"bad_base45"}))


def mutated(random: Random, phones: list[Phone]) -> Shown:
    return random.choice([mutated_byte, mutated_character])(random, phones)


def out_of_time(random: Random, phones: list[Phone]) -> Shown:
    """Later than the age and the clocks' difference allow, or further ahead than the latter."""
    late_s = random.choice([61, random.randrange(61, 600), random.randrange(61, 30 * 86_400)])
    early_s = random.choice([31, random.randrange(31, 600), random.randrange(31, 30 * 86_400)])
    text = text_of(good_code(random, phones))
    if random.randrange(2):
        return Shown(text, frozenset({"code_stale"}), NOON_S + late_s)
    return Shown(text, frozenset({"code_from_future"}), NOON_S - early_s)


def wrong_purpose(random: Random, phones: list[Phone]) -> Shown:
    phone = random.choice(phones)
    if random.randrange(2):
        purpose = random.choice([purpose for purpose in core.PURPOSES if purpose != "code/1"])
        return refused(proven(phone.credential + moment(random), phone.secret, purpose), "bad_code_signature")
    purpose = random.choice([purpose for purpose in core.PURPOSES if purpose != "credential/1"])
    credential = proven(phone.claims, ISSUER_SECRETS[PARKING_KID], purpose)
    return refused(proven(credential + moment(random), phone.secret), "bad_issuer_signature")


def another_message(random: Random, phones: list[Phone]) -> Shown:
    """Bytes of other signed messages, some of a code's length."""
    phone = random.choice(phones)
    if not random.randrange(3):
        return refused(phone.credential, "bad_length")
    purpose = random.choice(["batch/1", "bundle/1"])
    message = json.dumps({"kind": purpose, "rows": random.randbytes(random.randrange(60)).hex()}).encode()
    if random.randrange(2):
        message = message.ljust(132)[:132]
    signed = proven(message, ISSUER_SECRETS[PARKING_KID], purpose)
    return refused(signed, "bad_version" if len(signed) == 196 else "bad_length")


def exchanged_parts(random: Random, phones: list[Phone]) -> Shown:
    """The credential of one with the proof of another, and signatures that changed places."""
    mine, theirs = random.sample(phones, 2)
    now = moment(random)
    own, foreign = proven(mine.credential + now, mine.secret), proven(theirs.credential + now, theirs.secret)
    return random.choice(
        [
            refused(own[:132] + foreign[132:], "bad_code_signature"),
            refused(proven(theirs.credential + now, mine.secret), "bad_code_signature"),
            refused(foreign[:62] + own[62:126] + foreign[126:], "bad_issuer_signature"),
            refused(own[:62] + own[132:] + own[126:132] + own[62:126], "bad_issuer_signature"),
            refused(own[:132] + own[62:126], "bad_code_signature"),
        ]
    )


def cross_type(random: Random, phones: list[Phone]) -> Shown:
    return random.choice([wrong_purpose, another_message, exchanged_parts])(random, phones)


def cross_version(random: Random, phones: list[Phone]) -> Shown:
    phone = random.choice(phones)
    issuer, now = ISSUER_SECRETS[PARKING_KID], moment(random)
    claims = bytes([random.choice([0, *range(2, 256)])]) + phone.claims[1:]
    older = phone.claims + core.sign(issuer, b"parkflow/credential/2\0" + phone.claims)
    signed = phone.credential + now
    later_text = "PF2:" + core.encode_base45(proven(signed, phone.secret))
    return random.choice(
        [
            refused(proven(proven(claims, issuer, "credential/1") + now, phone.secret), "bad_version"),
            refused(proven(older + now, phone.secret), "bad_issuer_signature"),
            refused(signed + core.sign(phone.secret, b"parkflow/code/2\0" + signed), "bad_code_signature"),
            Shown(later_text, frozenset({"bad_prefix"})),
        ]
    )


def cross_kid_or_product(random: Random, phones: list[Phone]) -> Shown:
    """The credential names another key than the one that signed it, or a product for which it is not."""
    secret = random.choice(phones).secret
    product = random.choice([number for number in range(256) if number != core.PRODUCT_PARKING])
    named, signing, product, reason = random.choice(
        [
            (UNKNOWN_KID, UNKNOWN_KID, core.PRODUCT_PARKING, "unknown_kid"),
            (random.randrange(6, 2**32), PARKING_KID, core.PRODUCT_PARKING, "unknown_kid"),
            (PARKING_KID, UNKNOWN_KID, core.PRODUCT_PARKING, "bad_issuer_signature"),
            (PARKING_KID, ANY_KID, core.PRODUCT_PARKING, "bad_issuer_signature"),
            (ANY_KID, PARKING_KID, core.PRODUCT_PARKING, "bad_issuer_signature"),
            (PARKING_KID, PARKING_KID, product, "wrong_product"),
            (ANY_KID, ANY_KID, product, "wrong_product"),
        ]
    )
    claims = claims_of(core.public_key(secret), subject=random.randbytes(16), kid=named, product=product)
    credential = proven(claims, ISSUER_SECRETS[signing], "credential/1")
    return refused(proven(credential + moment(random), secret), reason)


def cross_version_kid_or_product(random: Random, phones: list[Phone]) -> Shown:
    return random.choice([cross_version, cross_kid_or_product])(random, phones)


# --- The rules ------------------------------------------------------------------------------------------------------


KINDS: dict[str, Callable[[Random, list[Phone]], Shown]] = {
    "mutated": mutated,
    "stale or from the future": out_of_time,
    "cross-type": cross_type,
    "cross-version, cross-kid, cross-product": cross_version_kid_or_product,
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_hostile_code_is_accepted_singly_or_in_a_batch(kind: str) -> None:
    random = Random(f"hostile {kind}")
    phones = [new_phone(random) for _ in range(50)]
    shown = [KINDS[kind](random, phones) for _ in range(PER_KIND)]
    assert len({(one.text, one.at_s) for one in shown}) > PER_KIND * 9 // 10

    singly = [core.verify_code(one.text, now_s=one.at_s, keys=KEYS, policy=POLICY) for one in shown]
    assert not any(verdict.accepted for verdict in singly)
    assert [one for one, verdict in zip(shown, singly, strict=True) if verdict.name not in one.reasons] == []
    # Every reason that was allowed was met, so none is there to be on the safe side.
    assert {verdict.name for verdict in singly} == {reason for one in shown for reason in one.reasons}

    # A good code after each ten: what is hostile beside it changes nothing for it.
    texts, at_s = [one.text for one in shown], [one.at_s for one in shown]
    good = text_of(good_code(random, phones))
    for place in range(PER_KIND, 0, -10):
        texts.insert(place, good)
        at_s.insert(place, NOON_S)
    batch = core.verify_codes(texts, at_s, keys=KEYS, policy=POLICY)
    assert [verdict for text, verdict in zip(texts, batch, strict=True) if text != good] == singly
    assert [verdict.accepted for text, verdict in zip(texts, batch, strict=True) if text == good] == [True] * 200


def test_no_replayed_code_is_accepted_even_with_its_signature_spelled_anew() -> None:
    """A gate remembers what it let through; a batch has no memory, and its caller finds the same `code_id` again."""
    random = Random("hostile replayed")
    phones = [new_phone(random) for _ in range(50)]
    contents = []
    for place in range(PER_KIND):
        phone, now = random.choice(phones), NOON_S.to_bytes(4, "big") + place.to_bytes(2, "big")
        contents.append(proven(phone.credential + now, phone.secret))
    replay = core.ReplayCache(2 * PER_KIND)
    seen = {}
    for content in contents:
        verdict = core.verify_code(text_of(content), now_s=NOON_S, keys=KEYS, policy=POLICY, replay=replay)
        assert verdict.accepted
        seen[content] = verdict.code_id

    shown = [random.choice(contents) for _ in range(PER_KIND)]
    respelled = [spelled_anew(content) if random.randrange(2) else content for content in shown]
    moments = [NOON_S + random.randrange(-30, 61) for _ in shown]
    names: Counter[str] = Counter()
    for content, at_s in zip(respelled, moments, strict=True):
        verdict = core.verify_code(text_of(content), now_s=at_s, keys=KEYS, policy=POLICY, replay=replay)
        names[verdict.name] += 1
    assert names == {"replayed": PER_KIND}

    batch = core.verify_codes([text_of(content) for content in respelled], moments, keys=KEYS, policy=POLICY)
    for content, again, verdict in zip(shown, respelled, batch, strict=True):
        assert verdict.code_id == seen[content]
        assert verdict.name == ("accepted" if again == content else "bad_code_signature")


def spelled_anew(content: bytes) -> bytes:
    """The same code with L added to the S of its proof."""
    s = int.from_bytes(content[164:], "little") + ORDER
    return content[:164] + s.to_bytes(32, "little")
