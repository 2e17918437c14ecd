"""The receipt of a stay, made from the database: for its driver, for its operator, or for whoever runs the service."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from parkflow import core
from parkflow.db.conn import Conn
from parkflow.gate import service as gate_service
from parkflow.kit.errors import NotFound, ParkflowError
from parkflow.kit.ids import to_text
from parkflow.lot import service as lot_service
from parkflow.operator import service as operator_service
from parkflow.receipt import store
from parkflow.receipt.document import Json, Receipt, make
from parkflow.receipt.store import OrderRow, RefundRow, StayRow
from parkflow.tariff import service as tariff_service

ID_PREFIX: Final = "stay"
_NEVER_PRICED: Final = ("abandoned", "void")


class ReceiptNotReady(ParkflowError):
    """The stay has no fee yet; its receipt is there once it is over and priced."""

    code = "receipt_not_ready"
    status = 409


class StayWithoutFee(ParkflowError):
    """The stay ended without an exit and is never charged, so there is no receipt."""

    code = "stay_without_fee"
    status = 409


async def of_account(conn: Conn, stay_id: int, *, account_id: int) -> Receipt:
    """For the driver. Raises NotFound for another's stay, ReceiptNotReady, StayWithoutFee."""
    return await _receipt(conn, await store.stay(conn, stay_id, account_id=account_id, operator_id=None))


async def of_operator(conn: Conn, stay_id: int, *, operator_id: int) -> Receipt:
    """For the operator's staff, who put the look on record. Raises as `of_account`."""
    return await _receipt(conn, await store.stay(conn, stay_id, account_id=None, operator_id=operator_id))


async def of_stay(conn: Conn, stay_id: int) -> Receipt:
    """For whoever runs the service, anybody's stay. Raises as `of_account`."""
    return await _receipt(conn, await store.stay(conn, stay_id, account_id=None, operator_id=None))


async def _receipt(conn: Conn, stay: StayRow | None) -> Receipt:
    if stay is None:
        raise NotFound("there is no such stay")
    if stay.state in _NEVER_PRICED:
        raise StayWithoutFee
    if stay.tariff_sha256 is None or stay.fee_lines is None:
        raise ReceiptNotReady
    tariff = (await tariff_service.parsed(conn, [stay.tariff_sha256]))[stay.tariff_sha256]
    orders = await store.orders(conn, stay.stay_id) if stay.charge_state else []
    refunds = await store.refunds(conn, stay.stay_id) if stay.charge_state else []
    return make(_calculation(stay, tariff), _settlement(stay, orders, refunds))


def _calculation(stay: StayRow, tariff: core.Tariff) -> Json:
    record = stay.fee_lines
    assert record is not None, "a priced stay has its record"
    marks = {"marks": sorted(stay.marks)} if stay.marks else {}
    return {
        **marks,
        "stay_id": to_text(ID_PREFIX, stay.stay_id),
        "operator": {"id": to_text(operator_service.ID_PREFIX, stay.operator_id), "name": stay.operator_name},
        "lot": {"id": to_text(lot_service.ID_PREFIX, stay.lot_id), "name": stay.lot_name},
        "entry": _passage(
            (stay.entry_gate_id, stay.entry_epoch, stay.entry_seq), stay.entry_at, tariff.local_text(record["entry_s"])
        ),
        "exit": _passage(
            (stay.exit_gate_id, stay.exit_epoch, stay.exit_seq), stay.exit_at, tariff.local_text(record["exit_s"])
        ),
        "tariff": {"canonical_json": tariff.canonical_json, "minor_exponent": tariff.minor_exponent},
        "record": record,
    }


def _passage(event: tuple[int | None, int | None, int | None], at: datetime | None, local: str | None) -> Json:
    gate_id, epoch, seq = event
    assert at is not None, "a priced stay has both its instants"
    return {
        "gate_id": None if gate_id is None else to_text(gate_service.ID_PREFIX, gate_id),
        "epoch": epoch,
        "seq": seq,
        "at": _instant(at),
        "local": local,
    }


def _settlement(stay: StayRow, orders: Sequence[OrderRow], refunds: Sequence[RefundRow]) -> Json:
    paid_minor = sum(order.amount_minor for order in orders if not order.surplus)
    return {
        "state": _state(stay),
        "gross_minor": 0 if stay.is_behind else stay.gross_minor or 0,
        "discount_minor": 0 if stay.is_behind else stay.discount_minor or 0,
        "net_minor": 0 if stay.is_behind else stay.net_minor or 0,
        "paid_minor": paid_minor,
        "paid_at": _instant(stay.paid_at) if stay.paid_at else None,
        "refunded_minor": stay.refunded_minor or 0,
        "orders": [
            {
                "order_no": order.order_no,
                "channel": order.channel,
                "amount_minor": order.amount_minor,
                "paid_at": _instant(order.paid_at),
                "surplus": order.surplus,
            }
            for order in orders
        ],
        "refunds": [
            {
                "refund_no": refund.refund_no,
                "order_no": refund.order_no,
                "reason": refund.reason,
                "amount_minor": refund.amount_minor,
                "refunded_at": _instant(refund.refunded_at),
            }
            for refund in refunds
        ],
    }


def _state(stay: StayRow) -> str:
    if stay.is_behind:
        return "pending"
    if stay.charge_state is not None:
        return stay.charge_state
    if stay.state == "waived":
        return "waived"
    return "pending" if stay.fee_minor else "no_charge"


def _instant(at: datetime) -> str:
    """In UTC with milliseconds, which is what gates and channels tell."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
