"""What must hold for every code, and for every text that is none."""

from hypothesis import given
from hypothesis import strategies as st

from parkflow import core

ISSUER_SECRET, PHONE_SECRET = bytes(range(32)), bytes(range(1, 33))
KID = 3
KEYS = core.KeySet([core.IssuerKey(KID, core.public_key(ISSUER_SECRET), 1, None, 0, 2**33)])
NOON_S = 1_792_497_600
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


def code_of(*, card_id: int = 1, issued_at_s: int = NOON_S, nonce: int = 0) -> str:
    fields = core.CredentialFields(
        kid=KID,
        subject=core.seal_subject(bytes(16), card_id, 1),
        code_key=core.public_key(PHONE_SECRET),
        not_before_s=NOON_S - 3_600,
        lifetime_minutes=1_440,
        product=core.PRODUCT_PARKING,
        ceiling=0,
    )
    return core.make_code(core.issue_credential(ISSUER_SECRET, fields), PHONE_SECRET, issued_at_s, nonce)


GOOD = code_of()


@given(content=st.binary(max_size=400))
def test_base45_decode_undoes_encode(content: bytes) -> None:
    text = core.encode_base45(content)
    assert set(text) <= set(ALPHABET)
    assert core.decode_base45(text) == content


@given(text=st.text(alphabet=ALPHABET, max_size=40))
def test_base45_that_is_read_has_no_other_spelling(text: str) -> None:
    try:
        content = core.decode_base45(text)
    except ValueError:
        return
    assert core.encode_base45(content) == text


@given(card_id=st.integers(0, 2**63 - 1), serial=st.integers(0, 2**63 - 1), key=st.binary(min_size=16, max_size=16))
def test_a_subject_opens_to_what_was_sealed(card_id: int, serial: int, key: bytes) -> None:
    assert core.open_subject(key, core.seal_subject(key, card_id, serial)) == (card_id, serial)


@given(offset_s=st.integers(-3_000, 80_000), nonce=st.integers(0, 65_535))
def test_a_code_is_read_back_as_it_was_made(offset_s: int, nonce: int) -> None:
    text = code_of(issued_at_s=NOON_S + offset_s, nonce=nonce)
    code = core.decode_code(text)
    assert (code.issued_at_s, code.nonce, code.text()) == (NOON_S + offset_s, nonce, text)
    assert core.verify_code(text, now_s=NOON_S + offset_s, keys=KEYS, policy=core.Policy()).accepted


@given(place=st.integers(0, 195), turned=st.integers(1, 255))
def test_a_code_with_any_byte_changed_is_refused(place: int, turned: int) -> None:
    content = bytearray(bytes(core.decode_code(GOOD)))
    content[place] ^= turned
    text = core.PREFIX + core.encode_base45(bytes(content))
    # A policy without windows, so that it is left to the signatures alone.
    policy = core.Policy(code_age_max_s=2**32 - 1, skew_s=2**32 - 1)
    verdicts = [core.verify_code(text, now_s=NOON_S, keys=KEYS, policy=policy)]
    verdicts += core.verify_codes([GOOD, text, GOOD], [NOON_S] * 3, keys=KEYS, policy=policy)
    assert [verdict.accepted for verdict in verdicts] == [False, True, False, True]
    assert verdicts[0].name == verdicts[2].name


@given(text=st.text(max_size=450) | st.text(alphabet=ALPHABET, max_size=400).map(lambda tail: "PF1:" + tail))
def test_no_text_makes_a_check_raise(text: str) -> None:
    one = core.verify_code(text, now_s=NOON_S, keys=KEYS, policy=core.Policy())
    (other,) = core.verify_codes([text], [NOON_S], keys=KEYS, policy=core.Policy())
    assert one.reason == other.reason != 0


@given(bad=st.sets(st.integers(0, 39)))
def test_a_batch_names_exactly_the_bad_codes(bad: set[int]) -> None:
    content = bytes(core.decode_code(GOOD))
    forged = core.PREFIX + core.encode_base45(content[:-1] + bytes([content[-1] ^ 1]))
    texts = [forged if place in bad else GOOD for place in range(40)]
    verdicts = core.verify_codes(texts, [NOON_S] * 40, keys=KEYS, policy=core.Policy())
    assert {place for place, verdict in enumerate(verdicts) if not verdict.accepted} == bad
