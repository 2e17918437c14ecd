"""The channel's durable book: one SQLite file, every change committed to the disk before an answer leaves."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_SCHEMA: Final = Path(__file__).with_name("schema.sql")


@dataclass(frozen=True, slots=True)
class Order:
    """An order in the book; `decided_ms` is when its final state holds, which lies ahead while it is pending."""

    order_no: str
    agreement_ref: str
    wallet: str | None
    amount_minor: int
    currency: str
    state: str
    final_state: str
    reason: str | None
    channel_no: str
    created_ms: int
    decided_ms: int
    refunded_minor: int = 0


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund that was made."""

    refund_no: str
    order_no: str
    amount_minor: int
    channel_no: str
    decided_ms: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """A wallet's permission to be deducted."""

    external_no: str
    ref: str
    wallet: str | None
    state: str


@dataclass(frozen=True, slots=True)
class Wallet:
    """A payer's money and the plan of their first orders."""

    wallet: str
    funds_minor: int
    plan: tuple[str, ...]
    order_count: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a number was first seen: with which bytes, and as the wallet's n-th."""

    body_sha256: str
    place: int
    is_first: bool


@dataclass(frozen=True, slots=True)
class Notification:
    """One copy of a notification that is still to be delivered."""

    id: str
    copy: int
    body: str
    tries: int


class Book:
    """The tables of schema.sql; used from one thread, so what is done inside `change` is never interleaved."""

    def __init__(self, path: Path | str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = wal", "synchronous = full", "foreign_keys = on"):
            self._db.execute(f"pragma {pragma}")
        self._db.executescript(_SCHEMA.read_text(encoding="utf-8"))

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """One durable transaction."""
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    # wallets ----------------------------------------------------------------------------------------------------------
    def add_wallet(self, wallet: str, *, funds_minor: int, plan: Sequence[str]) -> bool:
        """Whether it is new; an existing wallet is left as it is."""
        return self._did(
            "insert into wallet (wallet, funds_minor, plan) values (?, ?, ?) on conflict do nothing",
            wallet, funds_minor, json.dumps(list(plan)),
        )  # fmt: skip

    def wallet(self, wallet: str) -> Wallet | None:
        row = self._one("select wallet, funds_minor, plan, order_count from wallet where wallet = ?", wallet)
        return None if row is None else Wallet(row[0], row[1], tuple(json.loads(row[2])), row[3])

    def move_funds(self, wallet: str, amount_minor: int) -> None:
        """Add to the wallet's money, or take from it when negative; it never falls below nothing."""
        self._db.execute("update wallet set funds_minor = funds_minor + ? where wallet = ?", (amount_minor, wallet))

    def next_place(self, kind: str, wallet: str | None) -> int:
        """Count one more new order or refund of the wallet; the first is 1. Without a wallet it is 0."""
        column = {"order": "order_count", "refund": "refund_count"}[kind]
        sql = f"update wallet set {column} = {column} + 1 where wallet = ? returning {column}"
        rows = self._db.execute(sql, (wallet,)).fetchall()
        return int(rows[0][0]) if rows else 0

    # agreements -------------------------------------------------------------------------------------------------------
    def add_agreement(self, external_no: str, ref: str, *, at_ms: int) -> None:
        self._did(
            "insert into agreement (external_no, ref, state, created_ms) values (?, ?, 'pending', ?)"
            " on conflict do nothing",
            external_no, ref, at_ms,
        )  # fmt: skip

    def agreement(self, external_no: str) -> Agreement | None:
        return self._agreement("external_no = ?", external_no)

    def agreement_by_ref(self, ref: str) -> Agreement | None:
        return self._agreement("ref = ?", ref)

    def confirm_agreement(self, external_no: str, wallet: str) -> None:
        self._did(
            "update agreement set state = 'active', wallet = ? where external_no = ? and state = 'pending'",
            wallet, external_no,
        )  # fmt: skip

    def end_agreement(self, ref: str) -> None:
        self._did("update agreement set state = 'ended' where ref = ? and state = 'active'", ref)

    # orders and refunds -----------------------------------------------------------------------------------------------
    def note_arrival(self, kind: str, number: str, body_sha256: str, *, wallet: str | None) -> Arrival:
        """The first sight of a number, which may be this one."""
        row = self._one("select body_sha256, place from arrival where kind = ? and number = ?", kind, number)
        if row is not None:
            return Arrival(row[0], row[1], is_first=False)
        place = self.next_place(kind, wallet)
        self._did(
            "insert into arrival (kind, number, body_sha256, place) values (?, ?, ?, ?)",
            kind, number, body_sha256, place,
        )  # fmt: skip
        return Arrival(body_sha256, place, is_first=True)

    def add_order(self, order: Order) -> None:
        self._did(
            "insert into orders (order_no, agreement_ref, wallet, amount_minor, currency, state, final_state, reason,"
            " channel_no, created_ms, decided_ms) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            order.order_no, order.agreement_ref, order.wallet, order.amount_minor, order.currency, order.state,
            order.final_state, order.reason, order.channel_no, order.created_ms, order.decided_ms,
        )  # fmt: skip

    def order(self, order_no: str) -> Order | None:
        row = self._one(
            "select order_no, agreement_ref, wallet, amount_minor, currency, state, final_state, reason, channel_no,"
            " created_ms, decided_ms, refunded_minor from orders where order_no = ?",
            order_no,
        )
        return None if row is None else Order(*row)

    def decide_pending(self, *, now_ms: int) -> None:
        """Give every order whose time has come its final state."""
        self._did("update orders set state = final_state where state = 'pending' and decided_ms <= ?", now_ms)

    def close_order(self, order_no: str, *, at_ms: int) -> None:
        self._did(
            "update orders set state = 'closed', final_state = 'closed', reason = 'order_closed', decided_ms = ?"
            " where order_no = ? and state = 'pending'",
            at_ms, order_no,
        )  # fmt: skip

    def add_refund(self, refund: Refund) -> None:
        self._did(
            "insert into refund (refund_no, order_no, amount_minor, channel_no, decided_ms) values (?, ?, ?, ?, ?)",
            refund.refund_no, refund.order_no, refund.amount_minor, refund.channel_no, refund.decided_ms,
        )  # fmt: skip
        self._did(
            "update orders set refunded_minor = refunded_minor + ? where order_no = ?",
            refund.amount_minor, refund.order_no,
        )  # fmt: skip

    def refund(self, refund_no: str) -> Refund | None:
        row = self._one(
            "select refund_no, order_no, amount_minor, channel_no, decided_ms from refund where refund_no = ?",
            refund_no,
        )
        return None if row is None else Refund(*row)

    # bills and totals -------------------------------------------------------------------------------------------------
    def bill_rows(self, *, from_ms: int, to_ms: int) -> list[tuple[Any, ...]]:
        """(kind, order_no, channel_no, refund_no, amount_minor, currency, decided_ms) of a span, in order of time."""
        return self._db.execute(
            "select 'pay', order_no, channel_no, '', amount_minor, currency, decided_ms from orders"
            " where state = 'succeeded' and decided_ms >= ?1 and decided_ms < ?2"
            " union all"
            " select 'refund', r.order_no, r.channel_no, r.refund_no, r.amount_minor, o.currency, r.decided_ms"
            " from refund r join orders o using (order_no) where r.decided_ms >= ?1 and r.decided_ms < ?2"
            " order by 7, 2, 4",
            (from_ms, to_ms),
        ).fetchall()

    def totals(self) -> dict[str, int]:
        """What the book adds up to."""
        row = self._db.execute(
            "select count(*), coalesce(sum(state = 'succeeded'), 0), coalesce(sum(state = 'declined'), 0),"
            " coalesce(sum(state = 'pending'), 0),"
            " coalesce(sum(case when state = 'succeeded' then amount_minor end), 0),"
            " coalesce(sum(refunded_minor), 0) from orders"
        ).fetchone()
        names = ("orders", "succeeded", "declined", "pending", "succeeded_minor", "refunded_minor")
        return dict(zip(names, (int(value) for value in row), strict=True))

    # notifications ----------------------------------------------------------------------------------------------------
    def add_notification(self, id: str, body: str, due_ms: Sequence[int]) -> None:
        for copy, at_ms in enumerate(due_ms):
            self._did(
                "insert into notification (id, copy, body, due_ms) values (?, ?, ?, ?) on conflict do nothing",
                id, copy, body, at_ms,
            )  # fmt: skip

    def due_notifications(self, *, now_ms: int, limit: int) -> list[Notification]:
        rows = self._db.execute(
            "select id, copy, body, tries from notification where done = 0 and due_ms <= ?"
            " order by due_ms, id, copy limit ?",
            (now_ms, limit),
        )
        return [Notification(*row) for row in rows]

    def note_delivery(self, note: Notification, *, retry_ms: int | None) -> None:
        """Delivered (or given up) when `retry_ms` is None, else to be tried again then."""
        self._did(
            "update notification set tries = tries + 1, done = ?, due_ms = coalesce(?, due_ms)"
            " where id = ? and copy = ?",
            retry_ms is None, retry_ms, note.id, note.copy,
        )  # fmt: skip

    def _agreement(self, where: str, value: str) -> Agreement | None:
        row = self._one(f"select external_no, ref, wallet, state from agreement where {where}", value)
        return None if row is None else Agreement(*row)

    def _one(self, sql: str, *args: object) -> Any:
        return self._db.execute(sql, args).fetchone()

    def _did(self, sql: str, *args: object) -> bool:
        return self._db.execute(sql, args).rowcount > 0
