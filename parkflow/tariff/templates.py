"""The ready tariffs that come with parkflow, by name: what a tariff text may start from (`template: NAME`)."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

_FOLDER: Final = Path(__file__).parent / "library"


@lru_cache(maxsize=1)
def ready_texts() -> Mapping[str, str]:
    """File name without its ending -> text in PTL/1. They are read once: files of a release do not change."""
    return MappingProxyType({path.stem: path.read_text(encoding="utf-8") for path in sorted(_FOLDER.glob("*.yaml"))})
