"""Codes: how many a server verifies in a second, one by one and in batches."""

import secrets

from bench.registry import Figures, area, per_second
from parkflow import core

CODES = 2_000
DRIVERS = 200
AT_S = 1_700_000_000
KID = 1


@area("codes")
def measure() -> Figures:
    """Codes of many drivers of one issuer, as a batch of scans brings them; every signature is honest."""
    issuer_secret = secrets.token_bytes(32)
    keys = core.KeySet([core.IssuerKey(KID, core.public_key(issuer_secret), 1, 1, AT_S - 86_400, AT_S + 86_400)])
    policy = core.Policy()
    texts = _codes(issuer_secret)
    at_s = [AT_S] * len(texts)
    assert all(verdict.accepted for verdict in core.verify_codes(texts, at_s, keys=keys, policy=policy))

    def one_by_one() -> None:
        for text in texts:
            core.verify_code(text, now_s=AT_S, keys=keys, policy=policy)

    return {
        "verify_single_per_second": per_second(one_by_one, items=CODES, rounds=3),
        "verify_batch_per_second": per_second(
            lambda: core.verify_codes(texts, at_s, keys=keys, policy=policy), items=CODES, rounds=3
        ),
        "code_chars": len(texts[0]),
    }


def _codes(issuer_secret: bytes) -> list[str]:
    drivers = []
    for _ in range(DRIVERS):
        code_secret = secrets.token_bytes(32)
        fields = core.CredentialFields(
            kid=KID,
            subject=secrets.token_bytes(16),
            code_key=core.public_key(code_secret),
            not_before_s=AT_S - 3_600,
            lifetime_minutes=1_440,
            product=1,
            ceiling=0,
        )
        drivers.append((core.issue_credential(issuer_secret, fields), code_secret))
    return [core.make_code(*drivers[number % DRIVERS], AT_S - 5, number) for number in range(CODES)]
