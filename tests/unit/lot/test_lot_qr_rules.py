"""Which signs may stand at which lanes."""

from itertools import product

from parkflow import core
from parkflow.lot.rules import Direction, LotQrPurpose, lot_qr_fits


def test_a_sign_leads_nobody_in_at_an_exit_or_out_at_an_entry() -> None:
    unfit = {pair for pair in product(LotQrPurpose, Direction) if not lot_qr_fits(*pair)}
    assert unfit == {(LotQrPurpose.ENTRY, Direction.EXIT), (LotQrPurpose.EXIT, Direction.ENTRY)}


def test_purposes_are_those_of_the_format() -> None:
    for purpose in LotQrPurpose:
        fields = core.LotQrFields(operator_id=1, lot_id=1, lane_id=1, purpose=purpose, issued_at_s=0)
        assert fields.purpose == purpose
