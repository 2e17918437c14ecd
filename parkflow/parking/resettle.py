"""The account of a card whose stay is corrected: settled again, in order of exit, from the corrected stay on.

Where a tariff counts over a card's stays, the fee of one depends on those before it. So when a stay that had its price
is corrected, the card's history is put back to where it was before that stay, and every stay after it loses its price
and is priced again. What comes out is what it would have been if all had come in order.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from parkflow.db.conn import Conn
from parkflow.parking import repair_store, store
from parkflow.parking.changes import Change
from parkflow.parking.pricing import Card, Rated, fresh_history, settle
from parkflow.parking.repair_store import Overtaken, SettledStay
from parkflow.parking.store import CardHistory
from parkflow.tariff import service as tariff_service
from parkflow.tariff.rules import HISTORY_KEPT


async def reopen_accounts(conn: Conn, owner: str, changed: Sequence[Change], now: datetime) -> None:
    """Put the accounts of cards back to before their first corrected stay. Raises Overtaken."""
    corrected = [one for one in changed if one.repair is not None]
    first = await _first_affected(conn, corrected) if corrected else {}
    histories = await store.histories(conn, list(first)) if first else {}
    if not histories:
        return
    window = timedelta(seconds=max(one.window_s for one in histories.values()))
    since = {card: first[card] - HISTORY_KEPT - window for card in histories}
    settled = await _rated(conn, since)
    after = [stay for stay, one in settled if one.tariff.needs_history and stay.exit_at >= first[stay.card]]
    await repair_store.reopen_stays(conn, owner, after, now)
    before = {
        card: [one for stay, one in settled if stay.card == card and stay.exit_at < first[card]] for card in histories
    }
    rewound = await asyncio.to_thread(_rewound, histories, before)
    written = await store.write_histories(conn, owner, rewound, now)
    if len(written) != len(rewound):
        raise Overtaken


async def _first_affected(conn: Conn, corrected: Sequence[Change]) -> dict[Card, datetime]:
    """Per card the first exit at which its account may be another one: the corrected stay's old or new one."""
    was = await repair_store.tariffs_before(conn, [one.was.stay_id for one in corrected])
    tariffs = await tariff_service.parsed(conn, sorted(set(was.values())))
    first: dict[Card, datetime] = {}
    for one in corrected:
        sha256 = was.get(one.was.stay_id)
        if sha256 is None or not tariffs[sha256].needs_history:
            continue
        card = one.group.bucket, one.group.card_id
        for end in (one.was.exit, one.stay.exit):
            if end is not None:
                first[card] = min(first.get(card, end.at), end.at)
    return first


async def _rated(conn: Conn, since: Mapping[Card, datetime]) -> list[tuple[SettledStay, Rated]]:
    """The priced stays of the cards, each with its tariff, in order of exit, then id."""
    stays = await repair_store.priced_stays(conn, since)
    tariffs = await tariff_service.parsed(conn, sorted({stay.sha256 for stay in stays}))
    return [(stay, Rated(stay.stay, stay.sha256, tariffs[stay.sha256])) for stay in stays]


def _rewound(histories: Mapping[Card, CardHistory], before: Mapping[Card, Sequence[Rated]]) -> list[CardHistory]:
    """What the accounts were before the first stay that is priced again."""
    rewound = []
    for card, history in histories.items():
        begun = replace(fresh_history(card), version=history.version)
        rewound.append(settle(begun, [one for one in before[card] if one.tariff.needs_history]).history)
    return rewound
