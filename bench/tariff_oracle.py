"""A plain evaluator of tariffs, unit by unit with exact fractions: what the engine and its speed are compared with.

It is written from the description of the language (S1 to S20) alone. It takes valid tariffs in
the plain language, and the caller chooses which version prices a stay (S19).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

from bench.tariff_oracle_parts import Account, Amount, Band, Cap, Condition, Item, Stay
from bench.tariff_oracle_time import Span, Zone, pieces, seconds

FREE: Final = -1
COVERED: Final = -2
USUAL_ORDER: Final = ("minutes", "percent", "amount", "points")


@dataclass(slots=True)
class Segment:
    """Time with one active band in one cycle; the occurrence may go on in the next segment."""

    from_s: int
    to_s: int
    active: int
    cycle: int
    occurrence: int
    cycle_end_s: int = 0
    occurrence_end_s: int = 0


class Plan:
    """A plan: what it applies to, and the exact fee of a stay under it."""

    def __init__(self, plan: Mapping[str, Any], tariff_id: str, named: Mapping[str, Any], zone: Zone) -> None:
        self._zone = zone
        self.condition = Condition(plan.get("if", {}), named)
        self._grace: Mapping[str, Any] = plan.get("grace", {})
        self._free: Mapping[str, Any] = plan.get("free", {})
        self._entry_fee = plan.get("entry_fee", 0)
        self._cycle = Span.read(plan["cycle"])
        self._edge = plan["edge"]
        self._bands = [Band(band, named) for band in plan["bands"]]
        self._times = {time for band in self._bands for when in band.whens for time in (when.from_s, when.to_s)} | {0}
        ids = [band["id"] for band in plan["bands"]]
        keys = (f"{tariff_id}/{plan['id']}/{place}" for place in range(len(plan.get("caps", ()))))
        self._caps = [Cap(cap, key, ids, named) for cap, key in zip(plan.get("caps", ()), keys, strict=True)]
        self._least = plan.get("min", 0)

    def fee(self, stay: Stay, account: Account, *, plain: bool) -> tuple[Amount, Account]:
        """The fee before rounding (S6 to S14), and the account as it is afterwards."""
        after = Account({key: dict(used) for key, used in account.caps.items()}, dict(account.free_s), account.chain)
        covered = _union(stay.covered, stay.entry_s, stay.exit_s)
        chargeable_s = stay.exit_s - stay.entry_s - sum(to_s - from_s for from_s, to_s in covered)
        if chargeable_s == 0 or (self._grace and not plain and self._in_grace(chargeable_s)):
            return 0, after
        free_s = sum(value * 60 for kind, value in stay.vouchers if kind == "minutes")
        if self._free and not plain:
            own_s = seconds(self._free["minutes"])
            if self._free.get("per") == "day":
                day = self._zone.local(stay.entry_s)[0]
                own_s = max(0, own_s - after.free_s.get(day, 0))
                after.free_s[day] = after.free_s.get(day, 0) + min(own_s, chargeable_s)
            free_s += own_s
        segments = self._segments(stay.entry_s, stay.exit_s, covered)
        items = self._total(segments, free_s) if self._edge == "total" else self._units(segments, free_s, covered)
        if items and self._entry_fee:
            items.insert(0, replace(items[0], band=None, amount=self._entry_fee))
        for cap in self._caps:
            if cap.condition.holds(stay, self._zone):
                used = {} if cap.account_key is None else after.caps.setdefault(cap.account_key, {})
                cap.apply(items, used, stay.entry_s, self._zone)
        fee = sum((item.amount for item in items), start=0)
        return (max(fee, self._least) if fee > 0 else fee), after

    def _in_grace(self, chargeable_s: int) -> bool:
        bound_s = seconds(self._grace["minutes"])
        return chargeable_s < bound_s or (chargeable_s == bound_s and not self._grace.get("strict", False))

    def _segments(self, entry_s: int, exit_s: int, covered: Sequence[tuple[int, int]]) -> list[Segment]:
        """The stay, cut wherever a window, a cycle or covered time may begin or end (S9, S10)."""
        zone = self._zone
        cuts = {at_s for part in covered for at_s in part} | set(zone.changes(entry_s, exit_s))
        cuts.update(self._cycle.starts(entry_s, exit_s, zone))
        for day in range(zone.local(entry_s)[0], zone.local(exit_s)[0] + 1):
            for second in self._times:
                cuts.update(zone.showings(day, second))
        found: list[Segment] = []
        for from_s, to_s in pieces(cuts, entry_s, exit_s):
            active = COVERED if any(low_s <= from_s < high_s for low_s, high_s in covered) else self._active(from_s)
            cycle = self._cycle.number(from_s, entry_s, zone)
            last = found[-1] if found else None
            if last and (last.active, last.cycle) == (active, cycle):
                last.to_s = to_s
            else:
                occurrence = last.occurrence + (last.active != active) if last else 0
                found.append(Segment(from_s, to_s, active, cycle, occurrence))
        ends = Segment(exit_s, exit_s, FREE, -1, -1)
        for segment in reversed(found):
            segment.cycle_end_s = ends.cycle_end_s if segment.cycle == ends.cycle else segment.to_s
            segment.occurrence_end_s = ends.occurrence_end_s if segment.occurrence == ends.occurrence else segment.to_s
            ends = segment
        return found

    def _active(self, at_s: int) -> int:
        day, second = self._zone.local(at_s)
        for place, band in enumerate(self._bands):
            if not band.whens or any(when.holds(day, second) for when in band.whens):
                return place
        return FREE

    def _units(self, segments: Sequence[Segment], free_s: int, covered: Sequence[tuple[int, int]]) -> list[Item]:
        """Unit by unit (S11, S12)."""
        items: list[Item] = []
        progress: dict[int, tuple[tuple[int, int], int]] = {}
        at_s = segments[0].from_s
        for segment in segments:
            at_s = max(at_s, segment.from_s)
            if segment.active == COVERED:
                continue
            skipped_s = min(free_s, max(0, segment.to_s - at_s))
            free_s -= skipped_s
            at_s += skipped_s
            while at_s < segment.to_s and segment.active != FREE:
                band = self._bands[segment.active]
                key = (segment.cycle, 0 if band.per_cycle else segment.occurrence)
                known_key, progress_s = progress.get(segment.active, (key, 0))
                if known_key != key:
                    progress_s = 0
                step = band.step_at(progress_s)
                if step is None:
                    break
                ends_s = [segment.cycle_end_s, *(from_s for from_s, _ in covered if from_s > at_s)]
                if step.length_s is None or self._edge == "split":
                    ends_s.append(segment.occurrence_end_s)
                if step.length_s is not None:
                    ends_s.append(at_s + step.length_s)
                items.append(Item(at_s, segment.active, step.amount, segment.cycle, segment.occurrence))
                end_s = min(ends_s)
                progress[segment.active] = (key, progress_s + end_s - at_s)
                at_s = end_s
        return items

    def _total(self, segments: Sequence[Segment], free_s: int) -> list[Item]:
        """`edge: total`: seconds at their exact price, made whole units of the last paid band at the end."""
        items: list[Item] = []
        paid_s, last = 0, None
        for segment in segments:
            if segment.active == COVERED:
                continue
            length_s = segment.to_s - segment.from_s
            skipped_s = min(free_s, length_s)
            free_s -= skipped_s
            steps = self._bands[segment.active].steps if segment.active != FREE else []
            if steps and length_s > skipped_s:
                last = steps[0]
                paid_s += length_s - skipped_s
                amount = last.a_second * (length_s - skipped_s)
                items.append(Item(segment.from_s + skipped_s, segment.active, amount, 0, 0))
        if last and last.length_s:
            items[-1].amount += last.a_second * (-paid_s % last.length_s)
        return items


class PlainTariff:
    """A tariff in PTL/1, read once; prices single stays and the stays of an account in order."""

    def __init__(self, tariff: Mapping[str, Any]) -> None:
        self._tariff = tariff
        self._zone = Zone(tariff["timezone"])
        named = tariff.get("dates", {})
        self._plans = [Plan(plan, tariff["id"], named, self._zone) for plan in tariff["plans"]]
        self._order = tariff.get("discount_order", USUAL_ORDER)
        self._leave = tariff.get("leave", {})

    def settle(self, stay: Stay, account: Account) -> int | None:
        """What is due in minor units (S2, S17, S18), noted in the account; None: no plan applies. Raises ValueError."""
        entry_s, exit_s = self._round(stay.entry_s, "entry"), self._round(stay.exit_s, "exit")
        if entry_s > exit_s:
            raise ValueError("the exit is before the entry")
        chain_entry_s, chain_exit_s, charged = self._chain(account, entry_s, exit_s)
        paid_s = max((at_s for at_s, _ in stay.paid), default=None)
        if paid_s is not None and self._leave.get("then") == "restart":
            from_s = min(self._round(min(max(paid_s, entry_s), exit_s), "entry"), exit_s)
            rest = replace(stay, entry_s=from_s, exit_s=exit_s, vouchers=())
            total, after = self._total(rest, account, plain=self._leave.get("plain", False))
            before = 0
        else:
            total, after = self._total(replace(stay, entry_s=chain_entry_s, exit_s=exit_s), account, plain=False)
            before = charged + sum(amount for _, amount in stay.paid)
        if total is None:
            return None
        in_time = paid_s is not None and exit_s - paid_s <= seconds(self._leave.get("minutes", 0))
        due = 0 if in_time else max(0, total - before)
        account.caps, account.free_s = after.caps, after.free_s
        account.chain = (chain_entry_s, max(chain_exit_s, exit_s), charged + due)
        return due

    def _round(self, at_s: int, end: str) -> int:
        clock = self._tariff.get("clock", {})
        step_s: int = clock.get("step", 1)
        return -(-at_s // step_s) * step_s if clock.get(end) == "ceil" else at_s // step_s * step_s

    def _chain(self, account: Account, entry_s: int, exit_s: int) -> tuple[int, int, int]:
        within = self._tariff.get("reentry", {}).get("within")
        if within is None or account.chain is None or entry_s - account.chain[1] > seconds(within):
            return entry_s, exit_s, 0
        return min(account.chain[0], entry_s), account.chain[1], account.chain[2]

    def _total(self, stay: Stay, account: Account, *, plain: bool) -> tuple[int | None, Account]:
        """The cheapest or first plan's fee (S5), rounded once (S14), less vouchers (S15), with tax (S16)."""
        plans = [plan for plan in self._plans if plan.condition.holds(stay, self._zone)]
        if not plans:
            return None, account
        if self._tariff.get("choose") != "lowest":
            plans = plans[:1]
        fee, after = min((plan.fee(stay, account, plain=plain) for plan in plans), key=lambda outcome: outcome[0])
        total = self._rounded(fee)
        vouchers = list(stay.vouchers)
        if not stay.vouchers_as_given:
            vouchers.sort(key=lambda voucher: self._order.index(voucher[0]))
        for kind, value in vouchers:
            if kind == "percent":
                total = _half_up(total * (10_000 - value), 10_000)
            elif kind != "minutes":
                total = max(0, total - value)
        tax = self._tariff.get("tax", {})
        if tax.get("mode") == "added":
            total += _half_up(total * tax["rate_bp"], 10_000)
        return total, after

    def _rounded(self, fee: Amount) -> int:
        rule = self._tariff.get("round", {})
        step: int = rule.get("to", 1)
        mode = rule.get("mode", "half_up")
        whole, rest = divmod(Fraction(fee), step)
        match mode:
            case "up":
                whole += rest > 0
            case "half_up":
                whole += 2 * rest >= step
            case "half_even":
                whole += 2 * rest > step or (2 * rest == step and whole % 2 == 1)
        return int(whole) * step


def _half_up(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


def _union(parts: Sequence[tuple[int, int]], entry_s: int, exit_s: int) -> list[tuple[int, int]]:
    """Covered time within a stay, without overlaps, in order."""
    found: list[tuple[int, int]] = []
    for from_s, to_s in sorted((max(from_s, entry_s), min(to_s, exit_s)) for from_s, to_s in parts):
        if from_s >= to_s:
            continue
        if found and from_s <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], to_s))
        else:
            found.append((from_s, to_s))
    return found


_last: list[tuple[Mapping[str, Any], PlainTariff]] = []


def fee_minor(tariff: Mapping[str, Any], entry_s: int, exit_s: int, vehicle_class: str | None) -> int | None:
    """The fee of a single stay in minor units; None: no plan applies. The last tariff stays read: do not change it."""
    if not _last or _last[0][0] is not tariff:
        _last[:] = [(tariff, PlainTariff(tariff))]
    return _last[0][1].settle(Stay(entry_s, exit_s, vehicle_class), Account())
