"""Places where a test may kill this process: `PARKFLOW_FAILPOINT=deduct.sent:kill9`, or `…:kill9:3` for the third pass.

Off unless the variable is set, and read once. A kill is the real thing: SIGKILL, nothing is cleaned up.
"""

import itertools
import os
import signal
from typing import Final

_VARIABLE: Final = "PARKFLOW_FAILPOINT"
_ARMED: Final = os.environ.get(_VARIABLE, "").split(":") if os.environ.get(_VARIABLE) else []
_passes: Final = itertools.count(1)


def failpoint(name: str) -> None:
    """End this process here, if this is the place (and the pass) that was asked for."""
    if _ARMED and _ARMED[0] == name and _ARMED[1:2] == ["kill9"] and next(_passes) == int((_ARMED[2:3] or ["1"])[0]):
        os.kill(os.getpid(), signal.SIGKILL)
