"""Where a gate stands and who it is, as JSON: the one file that a gate needs before it can begin. It holds its key."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from gate_sim.gate import Post

POST_FILE: Final = "gate.json"


class PostUnreadable(Exception):
    """The file says not, or not rightly, which gate this is; the reason in one line."""


def post_json(post: Post) -> dict[str, Any]:
    """The post with its keys in hex."""
    return {**asdict(post), "secret": post.secret.hex(), "root_key": post.root_key.hex()}


def post_of(content: Mapping[str, Any]) -> Post:
    """The post of `post_json`. Raises TypeError, KeyError or ValueError."""
    if not isinstance(content, Mapping):
        raise TypeError("a JSON object is wanted")
    media = tuple(content.get("opens_for", ("plate", "ticket")))
    keys = {name: bytes.fromhex(content[name]) for name in ("secret", "root_key")}
    return Post(**{**content, **keys, "opens_for": media})


def save_post(folder: Path, post: Post) -> None:
    """Write `gate.json`, readable by its owner only."""
    descriptor = os.open(folder / POST_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(post_json(post), file, indent=2)


def load_post(folder: Path) -> Post:
    """The post of a gate's folder. Raises PostUnreadable."""
    path = folder / POST_FILE
    try:
        return post_of(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PostUnreadable(f"{path}: {error}; docs/gates.md says what is in it") from error
