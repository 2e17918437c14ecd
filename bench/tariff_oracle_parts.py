"""The parts of the plain tariff evaluator: stays and accounts, conditions, ladders and caps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias

from bench.tariff_oracle_time import Span, When, Zone, listed, seconds

Amount: TypeAlias = int | Fraction


@dataclass(frozen=True, slots=True)
class Stay:
    """A stay in seconds since 1970, UTC, and what comes with it; amounts in minor units."""

    entry_s: int
    exit_s: int
    vehicle_class: str | None = None
    tags: Sequence[str] = ()
    covered: Sequence[tuple[int, int]] = ()
    vouchers: Sequence[tuple[str, int]] = ()
    vouchers_as_given: bool = False
    paid: Sequence[tuple[int, int]] = ()


@dataclass(slots=True)
class Account:
    """What earlier stays have used: by cap and window, free seconds by day, and a chain (entry, exit, charged)."""

    caps: dict[str, dict[tuple[int, int], Amount]] = field(default_factory=dict)
    free_s: dict[int, int] = field(default_factory=dict)
    chain: tuple[int, int, int] | None = None


@dataclass(slots=True)
class Item:
    """A price due from an instant on; the entry fee has no band."""

    at_s: int
    band: int | None
    amount: Amount
    cycle: int
    occurrence: int


class Condition:
    """The `if` of a plan or a cap (S3)."""

    def __init__(self, condition: Mapping[str, Any], named: Mapping[str, Sequence[str]]) -> None:
        self._classes = listed(condition.get("class"))
        self._tags = listed(condition.get("tag"))
        self._entry = [When.read(when, named) for when in listed(condition.get("entry"))]
        self._exit = [When.read(when, named) for when in listed(condition.get("exit"))]
        self._minutes = {bound: seconds(length) for bound, length in condition.get("minutes", {}).items()}

    def holds(self, stay: Stay, zone: Zone) -> bool:
        """Whether it holds for a stay; an exit counts also one second earlier."""
        length_s = stay.exit_s - stay.entry_s
        tests = {
            "le": length_s.__le__, "lt": length_s.__lt__, "ge": length_s.__ge__, "gt": length_s.__gt__
        }  # fmt: skip

        def any_holds(whens: Sequence[When], *instants_s: int) -> bool:
            return not whens or any(when.holds(*zone.local(at_s)) for when in whens for at_s in instants_s)

        return (
            (not self._classes or stay.vehicle_class in self._classes)
            and (not self._tags or any(tag in stay.tags for tag in self._tags))
            and all(tests[bound](bound_s) for bound, bound_s in self._minutes.items())
            and any_holds(self._entry, stay.entry_s)
            and any_holds(self._exit, stay.exit_s, stay.exit_s - 1)
        )


@dataclass(slots=True)
class Step:
    """A step of a ladder: its extent of progress, the length of its units (None: all) and their exact price."""

    from_s: int
    to_s: int | None
    length_s: int | None
    amount: Amount
    a_second: Fraction


class Band:
    """A band with its windows and its ladder (S11)."""

    def __init__(self, band: Mapping[str, Any], named: Mapping[str, Sequence[str]]) -> None:
        self.whens = [When.read(when, named) for when in listed(band.get("when"))]
        self.per_cycle = band.get("restart") == "cycle"
        self.steps: list[Step] = []
        self._loop = band.get("loop")
        from_s = 0
        for step in band["ladder"]:
            extent, price = step.get("for"), step["price"]
            to_s = from_s + seconds(extent) if extent is not None else None
            if step["unit"] == "all":
                self.steps.append(Step(from_s, to_s, None, price, Fraction(price)))
            else:
                unit_s = seconds(step["unit"])
                length_s = seconds(step.get("bill", step["unit"]))
                amount = Fraction(price * length_s, unit_s)
                exact: Amount = amount.numerator if amount.denominator == 1 else amount
                self.steps.append(Step(from_s, to_s, length_s, exact, Fraction(price, unit_s)))
            from_s = to_s or 0

    def step_at(self, progress_s: int) -> Step | None:
        """The step at a progress; None past the last one."""
        end_s = self.steps[-1].to_s if self.steps else 0
        if end_s is not None and progress_s >= end_s:
            if self._loop is None:
                return None
            start_s = self.steps[self._loop].from_s
            progress_s = start_s + (progress_s - start_s) % (end_s - start_s)
        return next(step for step in self.steps if step.to_s is None or progress_s < step.to_s)


class Cap:
    """A cap and where its use is kept (S13)."""

    def __init__(self, cap: Mapping[str, Any], own_key: str, ids: Sequence[str], named: Mapping[str, Any]) -> None:
        self.limits = cap["max"] if isinstance(cap["max"], list) else [cap["max"]]
        self.over = Span.read(cap["over"])
        self.bands = [ids.index(name) for name in listed(cap.get("bands"))]
        self.condition = Condition(cap.get("if", {}), named)
        pool = cap.get("pool")
        self.account_key = (f"pool {pool}" if pool else own_key) if cap.get("scope") == "account" else None

    def apply(self, items: Sequence[Item], used: dict[tuple[int, int], Amount], entry_s: int, zone: Zone) -> None:
        """Lower the items, in order of time, to what their windows have left."""
        entered: set[tuple[int, int]] = set()
        for item in items:
            if self.bands and item.band not in self.bands:
                continue
            window = self._window(item, used, entry_s, zone)
            entered.add(window)
            if self.over.kind in ("every", "daily"):
                place = window[0] - self.over.number(entry_s, entry_s, zone)
            else:
                place = len(entered) - 1
            limit = self.limits[min(place, len(self.limits) - 1)]
            if limit is not None:
                item.amount = min(item.amount, max(0, limit - used.get(window, 0)))
            used[window] = used.get(window, 0) + item.amount

    def _window(self, item: Item, used: Mapping[tuple[int, int], Amount], entry_s: int, zone: Zone) -> tuple[int, int]:
        match self.over.kind:
            case "cycle":
                return (item.cycle, 0)
            case "occurrence":
                return (item.cycle, item.occurrence)
            case "first":
                open_s = [start for start, _ in used if start <= item.at_s < start + self.over.seconds]
                return (min(open_s, default=item.at_s), 0)
            case _:
                return (self.over.number(item.at_s, entry_s, zone), 0)
