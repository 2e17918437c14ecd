"""The scan batch: what a gate uploads, read strictly by the core, with its refusals by name."""

from typing import Final

from parkflow import core
from parkflow.kit.errors import ParkflowError


class BatchMalformed(ParkflowError):
    """The body is not a scan batch."""

    code = "batch_malformed"
    status = 422


class BatchEmpty(ParkflowError):
    """A batch has at least one scan; a gate with nothing to say sends a heartbeat."""

    code = "batch_empty"
    status = 422


class BatchTooLarge(ParkflowError):
    """The batch has more scans than one may have; send the rest in a further batch."""

    code = "batch_too_large"
    status = 413


_REFUSALS: Final[dict[str, type[ParkflowError]]] = {kind.code: kind for kind in (BatchEmpty, BatchTooLarge)}


def read_batch(body: bytes, *, scans_max: int) -> core.Upload:
    """The upload in a request body; about 2 ms for 1 MiB, so call it off the event loop.

    Raises BatchMalformed naming the place, BatchEmpty, BatchTooLarge.
    """
    try:
        return core.read_upload(body, scans_max=scans_max)
    except core.UploadError as error:
        refusal = _REFUSALS.get(error.code)
        raise (BatchMalformed(str(error)) if refusal is None else refusal()) from None
