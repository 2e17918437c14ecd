"""Pages of lists that are sorted newest first: the mark of a page says where the next one begins."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from parkflow.kit.errors import ParkflowError
from parkflow.kit.ids import ID_LIMIT, from_text, to_text
from parkflow.views.driver import Place

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MARK: Final = re.compile(r"([0-9]{1,17})\.([a-z]+_[0-9a-z]{13})")
FROM_THE_NEWEST: Final = Place(datetime.max.replace(tzinfo=UTC), ID_LIMIT - 1)


class MalformedPage(ParkflowError):
    """`before` is the `next` of the page before, unchanged."""

    code = "malformed_page"
    status = 422


def place_of(prefix: str, mark: str | None) -> Place:
    """Where the page of a mark begins; without a mark at the newest. Raises MalformedPage."""
    if mark is None:
        return FROM_THE_NEWEST
    match = _MARK.fullmatch(mark)
    if match is None:
        raise MalformedPage
    return Place(_EPOCH + timedelta(microseconds=int(match[1])), from_text(prefix, match[2]))


def mark_of(prefix: str, place: Place) -> str:
    """The mark of the page that begins after `place`."""
    microseconds = (place.at - _EPOCH) // timedelta(microseconds=1)
    return f"{microseconds}.{to_text(prefix, place.ident)}"
