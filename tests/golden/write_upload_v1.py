"""Writes upload_v1.json from the format's description, without parkflow: the file is an oracle and not an echo.

A body is what a gate sends; the content hash of a scan is SHA-256 over its RFC 8785 text, the chain's hash SHA-256 over
the hash before it and the content hash. Run: python tests/golden/write_upload_v1.py
"""

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).with_name("upload_v1.json")
NOON_MS = 1_792_497_600_000  # Tuesday 2026-10-20 12:00 UTC
SCANS_MAX = 8
EXACT_MAX = 2**53 - 1
BEGIN = "00" * 32
CLOCK = {"gate_at": "2026-10-20T12:00:00Z", "last_sync_at": "2026-10-20T19:59:00.250+08:00", "offset_ms": -120}
EVIDENCE_CHARS_MAX = 400

Scan = dict[str, Any]


def scan(seq: int, **other: object) -> Scan:
    """A scan by code; a member given as None is left out."""
    known = {
        "seq": seq,
        "at_ms": NOON_MS + seq,
        "lane": "lane-1",
        "direction": "entry",
        "medium": "code",
        "code": "PF1:ABC $%*+-./:",
        "verdict": "accepted",
    }
    return {name: value for name, value in {**known, **other}.items() if value is not None}


def shown(seq: int, medium: str, text: str, **other: object) -> Scan:
    return scan(seq, code=None, medium=medium, **{medium: text}, **other)


def lift(seq: int, **other: object) -> Scan:
    return scan(seq, code=None, medium="lift", **{"verdict": "no_code", "manual": True, "lifted_by": "desk-2", **other})


def without(content: Scan, gone: str) -> Scan:
    return {name: value for name, value in content.items() if name != gone}


def upload(scans: Any, **other: object) -> dict[str, Any]:
    known: dict[str, Any] = {
        "epoch": 3,
        "first_seq": scans[0].get("seq", 1) if isinstance(scans, list) and scans and isinstance(scans[0], dict) else 1,
        "prev_hash": BEGIN,
        "bundle_version": 17,
        "clock": dict(CLOCK),
        "scans": scans,
    }
    return {**known, **other}


def canonical(content: Scan) -> str:
    """RFC 8785: without fractions, and with names of ASCII letters, it is what Python writes."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def evidence(content: Scan) -> str:
    kept = {name: value for name, value in content.items() if name not in ("plate", "ticket")}
    if "code" in kept:
        kept["code"] = kept["code"][:EVIDENCE_CHARS_MAX].replace("\0", "\N{REPLACEMENT CHARACTER}")
    return canonical(kept)


def unix_ms(text: str) -> int:
    since = datetime.fromisoformat(text.replace("Z", "+00:00")) - datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    return (since.days * 86_400 + since.seconds) * 1_000 + since.microseconds // 1_000


def good(name: str, body: str) -> dict[str, Any]:
    """A body that is taken, with everything that follows from it."""
    said = json.loads(body)
    chain = bytes.fromhex(said["prev_hash"])
    rows = []
    for one in said["scans"]:
        content = hashlib.sha256(canonical(one).encode()).digest()
        chain = hashlib.sha256(chain + content).digest()
        rows.append(
            {
                "canonical": canonical(one),
                "evidence": evidence(one),
                "content_sha256": content.hex(),
                "chain_sha256": chain.hex(),
            }
        )
    synced = said["clock"].get("last_sync_at")
    return {
        "name": name,
        "body": body,
        "gate_at_ms": unix_ms(said["clock"]["gate_at"]),
        "last_sync_ms": None if synced is None else unix_ms(synced),
        "scans": rows,
    }


def good_ones() -> list[dict[str, Any]]:
    every_medium = [
        scan(41, code="PF1:0"),
        shown(42, "plate", "沪A·12345", direction="exit", verdict="no_code", manual=True, lifted_by="Anna_K.7"),
        shown(43, "ticket", "T-0001", manual=False, flag="passback"),
        lift(44),
    ]
    # The order of members, spaces and escapes are the sender's choice; the content is the same.
    turned = [dict(reversed(one.items())) for one in every_medium]
    controls = "".join(chr(number) for number in range(0x20)) + "\x7f\x80\N{LINE SEPARATOR}\N{GRINNING FACE}\ufffe"
    texts = [
        scan(1, code=controls),
        scan(2, code="\"\\/ <>&'"),
        shown(3, "plate", controls),
        shown(4, "ticket", "\\"),
        scan(5, code=""),
        scan(6, code="é" * 401),
        scan(7, code="x" * 400 + "\0"),
        scan(8, code="\0" * 401),
    ]
    ends = [
        scan(EXACT_MAX, at_ms=0, lane="x" * 64, verdict="v" * 40, flag="f_", code="é" * 4_296),
    ]
    far = {"gate_at": "0001-01-01T00:00:00Z", "offset_ms": -(2**63 - 1)}
    late = [scan(9, at_ms=253_402_300_799_999)]
    ascii_text = json.dumps(upload(texts))
    return [
        good("every medium", json.dumps(upload(every_medium, prev_hash="5e" * 32))),
        good("members in another order", json.dumps(upload(turned, prev_hash="5e" * 32), indent=2)),
        good("texts with escapes", ascii_text),
        good("texts without escapes", json.dumps(upload(texts), ensure_ascii=False)),
        good(
            "largest numbers", json.dumps(upload(ends, epoch=EXACT_MAX, bundle_version=2**63 - 1), ensure_ascii=False)
        ),
        good("clock at its ends", json.dumps(upload(late, epoch=0, clock=far))),
        good("escaped member names", json.dumps(upload([scan(1)])).replace('"seq"', '"\\u0073eq"')),
    ]


def refused(name: str, body: str | bytes, place: str, code: str = "batch_malformed") -> dict[str, Any]:
    """A body that is refused, and the place that the message names."""
    shape = {"body_hex": body.hex()} if isinstance(body, bytes) else {"body": body}
    return {"name": name, **shape, "code": code, "place": place}


def one(**other: object) -> str:
    return json.dumps(upload([scan(1), {**scan(2), **other}]))


def with_number(place: str, number: str) -> str:
    """A number as it is spelled, in place of a member that is 4711."""
    content = upload([scan(1)])
    part = content["scans"][0] if place.startswith("scans") else content["clock"] if "." in place else content
    part[place.rsplit(".", 1)[-1]] = 4711
    return json.dumps(content).replace("4711", number)


def refused_numbers() -> list[dict[str, Any]]:
    places = ["epoch", "first_seq", "bundle_version", "clock.offset_ms", "scans.0.seq", "scans.0.at_ms"]
    never = ["1.5", "1.0", "1e3", "true", '"1"', "null", "1" * 400, "-1" + "0" * 30, "[]", "{}"]
    edges = {
        "epoch": ["-1", str(EXACT_MAX + 1)],
        "first_seq": ["-1", str(EXACT_MAX + 1), "7"],
        "bundle_version": ["-1", str(2**63)],
        "clock.offset_ms": [str(2**63), str(-(2**63))],
        "scans.0.seq": ["0", "-1", str(EXACT_MAX + 1)],
        "scans.0.at_ms": ["-1", "253402300800000"],
    }
    return [
        refused(f"{place} {number[:24]}", with_number(place, number), place)
        for place in places
        for number in never + edges[place]
    ]


def refused_texts() -> list[dict[str, Any]]:
    bad_names = ["", " ", "a b", "x" * 65, "lane\n", "ä", "a/b"]
    bad_words = ["", "_a", "A", "1a", "a" * 41, "accepted\n"]
    instants = [
        "2026-10-20T12:00:00", "2026-10-20", "2026-10-20T12:00:60Z", "2026-10-20T24:00:00Z", "2026-02-29T00:00:00Z",
        "2026-10-20T12:00:00+24:00", "2026-10-20T12:00:00+0800", "2026-10-20T12:00:00.Z", "2026-10-20T12:00Z",
        "2026-10-20_12:00:00Z", "0000-12-31T00:00:00Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
        "+2026-10-20T12:00:00Z", "2026-10-20T12:00:00Z[UTC]", "2026-10-20T12:00:00 Z", "now", "",
        "2026-10-20T12:00:00\N{MINUS SIGN}08:00", "٢٠٢٦-10-20T12:00:00Z", "2026-00-20T12:00:00Z", "1792497600",
        "2026-1O-20T12:00:00Z",
    ]  # fmt: skip
    return [
        *(refused(f"lane {name!a:.20}", one(lane=name), "scans.1.lane") for name in bad_names),
        *(refused(f"verdict {word!a:.20}", one(verdict=word), "scans.1.verdict") for word in bad_words),
        *(refused(f"flag {word!a:.20}", one(flag=word), "scans.1.flag") for word in bad_words),
        *(
            refused(
                f"instant {text!a}", json.dumps(upload([scan(1)], clock={**CLOCK, "gate_at": text})), "clock.gate_at"
            )
            for text in instants
        ),
        refused(
            "last_sync_at", json.dumps(upload([scan(1)], clock={**CLOCK, "last_sync_at": ""})), "clock.last_sync_at"
        ),
        refused("lifted_by", one(manual=True, lifted_by="a b"), "scans.1.lifted_by"),
        refused("code of 4,297 characters", one(code="é" * 4_297), "scans.1.code"),
        refused("direction", one(direction="both"), "scans.1.direction"),
        refused("direction as an object", one(direction={"entry": None}), "scans.1.direction"),
        refused("medium", one(medium="Code"), "scans.1.medium"),
        refused("hash too short", json.dumps(upload([scan(1)], prev_hash="00" * 31)), "prev_hash"),
        refused("hash in capitals", json.dumps(upload([scan(1)], prev_hash="AB" * 32)), "prev_hash"),
        refused("hash with a sign", json.dumps(upload([scan(1)], prev_hash="0g" * 32)), "prev_hash"),
    ]


def refused_scans() -> list[dict[str, Any]]:
    both = {"plate": "A 1"}
    two = [scan(1), scan(2)]
    return [
        refused("code and plate", one(**both), "scans.1"),
        refused("code named plate", one(medium="plate"), "scans.1"),
        refused("nothing shown", json.dumps(upload([scan(1, code=None)])), "scans.0"),
        refused("lift with a code", one(medium="lift", manual=True, lifted_by="x"), "scans.1"),
        refused("lift that is not manual", json.dumps(upload([lift(1, manual=None)])), "scans.0"),
        refused("lift that says manual false", json.dumps(upload([lift(1, manual=False)])), "scans.0"),
        refused("lift by nobody", json.dumps(upload([lift(1, lifted_by=None)])), "scans.0"),
        refused("lifted_by without manual", one(lifted_by="x"), "scans.1"),
        refused("lifted_by with manual false", one(lifted_by="x", manual=False), "scans.1"),
        *(
            refused(f"{name} null", one(**{name: None}), f"scans.1.{name}")
            for name in ["code", "manual", "lifted_by", "flag", "lane"]
        ),
        refused("manual as a number", one(manual=1), "scans.1.manual"),
        refused("an unknown member", one(surprise=1), "scans.1.surprise"),
        refused("a list for a scan", json.dumps(upload([list(scan(1).values())])), "scans.0"),
        refused("a list for the clock", json.dumps(upload(two, clock=list(CLOCK.values()))), "clock"),
        refused("a list for it all", json.dumps([list(upload(two).values())]), "the body"),
        refused("an object for the scans", json.dumps(upload({})), "scans"),
        refused("no scans", json.dumps(upload([])), "scans", "batch_empty"),
        refused("too many scans", json.dumps(upload([scan(1)] * (SCANS_MAX + 1))), "scans", "batch_too_large"),
        refused("a gap", json.dumps(upload([scan(1), scan(2), scan(4)])), "scans.2.seq"),
        refused("twice the same", json.dumps(upload([scan(1), scan(1)])), "scans.1.seq"),
        refused("backwards", json.dumps(upload([scan(2), scan(1)])), "scans.1.seq"),
        refused("another first_seq", json.dumps(upload(two, first_seq=2)), "first_seq"),
        *(
            refused(f"without {name}", json.dumps(without(upload(two), name)), "the body")
            for name in ["epoch", "first_seq", "prev_hash", "bundle_version", "clock", "scans"]
        ),
        *(
            refused(f"a scan without {name}", json.dumps(upload([without(scan(1), name)])), "scans.0")
            for name in ["seq", "at_ms", "lane", "direction", "medium", "verdict"]
        ),
    ]


def refused_json() -> list[dict[str, Any]]:
    text = json.dumps(upload([scan(1), scan(2)]))
    return [
        refused("nothing", "", "the body"),
        refused("a number", "1", "the body"),
        refused("cut short", text[:-1], "the body"),
        refused("something behind it", text + "]", "the body"),
        refused("a byte order mark", "\ufeff" + text, "the body"),
        refused("a comment", "// x\n" + text, "the body"),
        refused("a comma too many", text[:-1] + ",}", "the body"),
        refused("a member twice", text.replace('"epoch": 3', '"epoch": 3, "epoch": 3'), "the body"),
        refused("the scans twice", text[:-1] + ', "scans": []}', "the body"),
        refused("a scan's member twice", text.replace('"seq": 2', '"seq": 2, "s\\u0065q": 2'), "scans.1"),
        refused("the clock's member twice", text.replace('"offset_ms"', '"offset_ms": 1, "offset_ms"'), "clock"),
        refused("half a surrogate", text.replace("PF1:", "\\ud83d", 1), "scans.0.code"),
        refused("the wrong half", text.replace("PF1:", "\\ude00\\ud83d", 1), "scans.0.code"),
        refused("a bare NUL", text.replace("PF1:", "\0", 1), "scans.0.code"),
        refused("a bare line end", text.replace("PF1:", "\n", 1), "scans.0.code"),
        refused("not UTF-8", text.replace("PF1:", "é", 1).encode("latin-1"), "the body"),
        refused("UTF-16", text.encode("utf-16"), "the body"),
        refused("a surrogate in UTF-8", text.replace("PF1:", "\ud83d", 1).encode("utf-8", "surrogatepass"), "the body"),
        refused("NaN", text.replace('"epoch": 3', '"epoch": NaN'), "epoch"),
        refused("a leading zero", text.replace('"epoch": 3', '"epoch": 03'), "epoch"),
        refused("minus zero", text.replace('"offset_ms": -120', '"offset_ms": -0'), "clock.offset_ms"),
    ]


def instants() -> list[dict[str, Any]]:
    texts = [
        "1970-01-01T00:00:00Z", "2026-10-20T12:00:00Z", "2026-10-20T12:00:00+00:00", "2026-10-20T12:00:00-00:00",
        "2026-10-20T20:00:00+08:00", "2026-10-20T04:00:00.5-08:00", "2024-02-29T23:59:59.999999+05:30",
        "1969-12-31T23:59:59.9995Z", "2026-10-20T12:00:00.000999999999Z", "9999-12-31T23:59:59.999Z",
        "0001-01-01T00:00:00Z", "2026-10-20 12:00:00+23:59", "1900-03-01T00:00:00-23:59", "2000-02-29T12:34:56.789Z",
    ]  # fmt: skip
    # RFC 3339, section 5.6: letters may be small.
    small = [{"text": "2026-10-20t12:00:00z", "unix_ms": NOON_MS}]
    return [{"text": text, "unix_ms": unix_ms(text)} for text in texts] + small


def contents() -> dict[str, Any]:
    return {
        "note": "Written by write_upload_v1.py from the format alone. A refusal's message begins with its place.",
        "scans_max": SCANS_MAX,
        "good": good_ones(),
        "refused": [*refused_json(), *refused_scans(), *refused_texts(), *refused_numbers()],
        "instants": instants(),
    }


def rendered() -> str:
    return json.dumps(contents(), indent=1, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    GOLDEN.write_text(rendered(), encoding="ascii")
