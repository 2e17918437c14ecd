"""What happens in the demo and when: the day, the night after it, and the three days of the card returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from functools import partial
from itertools import groupby
from typing import Final

from gate_sim.fleet import Fleet
from gate_sim.http import Client
from gate_sim.scenario import OFFLINE_MS
from gate_sim.town import Passage, RealStay, passages_of
from parkflow.demo.mailbox import Mailbox
from parkflow.demo.pace import Agenda, Pace
from parkflow.demo.people import People, get_credentials
from parkflow.demo.plan import PAYDAY_MINOR, Plan, Role

_MINUTE_MS: Final = 60_000
_SYNCS: Final = (time(6, 45), time(13), time(21, 30))
_LATE_LINE_IS_BACK: Final = time(6)


@dataclass(slots=True)
class Story:
    """The people, the gates and the plan, told along the virtual clock."""

    plan: Plan
    pace: Pace
    fleet: Fleet
    people: People
    mailbox: Mailbox
    service: Client
    paid_at_machine: set[str] = field(default_factory=set)
    repaid_minor: int = 0
    returns: dict[str, Mapping[str, object]] = field(default_factory=dict)
    _given_up: set[str] = field(default_factory=set)

    def agenda(self) -> Agenda:
        """All appointments, from the first credential to the morning after the last wait."""
        self.fleet.prepare(self.plan.trouble, late_until_ms=_ms(self.plan.at(1, _LATE_LINE_IS_BACK)))
        agenda = Agenda()
        for day, stays in enumerate(self.plan.days):
            self._add_day(agenda, day, stays)
        self._add_trouble(agenda)
        self._add_first_night(agenda)
        self._add_first_morning(agenda)
        last = len(self.plan.days)
        agenda.add(self.plan.at(last, time(6, 30)), self._ask_again)
        for day in range(1, last + 4):
            # The worker cuts off as soon as it sees that the day has turned at 04:00.
            agenda.add(self.plan.at(day, time(4, 1)), self._upload)
        agenda.add(self.plan.at(last + 3, time(4, 40)), self._sync)
        agenda.add(self.plan.at(last + 3, time(5)), self._look_at_returns)
        return agenda

    def _add_day(self, agenda: Agenda, day: int, stays: Sequence[RealStay]) -> None:
        agenda.add(self.plan.at(day, time(6, 30)), self._ask_credentials)
        for clock_time in _SYNCS:
            agenda.add(self.plan.at(day, clock_time), self._sync)
        for minute, passages in groupby(passages_of(stays), key=lambda passage: passage.at_ms // _MINUTE_MS):
            agenda.add_traffic(self._instant((minute + 1) * _MINUTE_MS), partial(self._play, list(passages)))

    def _add_trouble(self, agenda: Agenda) -> None:
        trouble = self.plan.trouble
        shown_at_ms = trouble.screenshot.at_ms
        agenda.add(self._instant(shown_at_ms + 1_000), self._show_screenshot)
        agenda.add(self._instant(shown_at_ms + 3 * _MINUTE_MS), self._upload)
        agenda.add(self._instant(trouble.offline_from_ms + OFFLINE_MS + _MINUTE_MS), self._upload)

    def _add_first_night(self, agenda: Agenda) -> None:
        agenda.add(self.plan.at(0, time(20, 45)), partial(self._give_up, (Role.LEAVER, Role.LATE)))
        # The day is cut off at 04:00; whoever owes money then is frozen, and the gates learn of it.
        agenda.add(self.plan.at(1, time(4, 30)), partial(self._give_up, (Role.LEAVER_IN_ARREARS,)))
        agenda.add(self.plan.at(1, time(5)), self._sync)
        agenda.add(self.plan.at(1, time(5, 15)), self._try_frozen_card)

    def _add_first_morning(self, agenda: Agenda) -> None:
        agenda.add(self.plan.at(1, _LATE_LINE_IS_BACK), self._sync)
        agenda.add(self.plan.at(1, time(8)), partial(self._top_up, Role.PAYDAY))
        agenda.add(self.plan.at(1, time(9, 30)), self._repay)

    async def _play(self, passages: Sequence[Passage]) -> None:
        self.fleet.play(passage for passage in passages if self._drives(passage))
        await self._upload()

    def _drives(self, passage: Passage) -> bool:
        """Whether the car comes by code; one in arrears or without a card has none and pays at the machine."""
        if passage.direction == "entry" and passage.driver in self.people.refused | self._given_up:
            self.paid_at_machine.add(passage.stay)
        return passage.stay not in self.paid_at_machine

    async def _show_screenshot(self) -> None:
        self.fleet.play_screenshot(self.plan.trouble.screenshot)
        await self._upload()

    async def _try_frozen_card(self) -> None:
        """Someone in arrears comes with yesterday's credential; the gate knows from its deny list."""
        driver = self.plan.drivers_in(Role.EMPTY)[0]
        lot = next(stay.lot for stay in self.plan.days[0] if stay.driver == driver)
        self.fleet.play([Passage(self.pace.now_ms, lot, "entry", driver, "denied")])
        await self._upload()

    async def _upload(self) -> None:
        await self.fleet.upload(self.service, at_ms=self.pace.now_ms)

    async def _sync(self) -> None:
        await self._upload()
        await self.fleet.sync(self.service, at_ms=self.pace.now_ms)

    async def _ask_credentials(self) -> None:
        wanted = self.people.drivers.keys() - self._given_up
        await get_credentials(self.people, wanted, now_s=self.pace.now_ms // 1000)

    async def _ask_again(self) -> None:
        """After the last day only those ask for a new credential who were told of arrears: they want to know."""
        told = await self.mailbox.cards_told_of_arrears()
        wanted = {name for name, driver in self.people.drivers.items() if driver.card in told}
        await get_credentials(self.people, wanted - self._given_up, now_s=self.pace.now_ms // 1000)

    async def _give_up(self, roles: Sequence[Role]) -> None:
        for name in self.plan.drivers_in(*roles):
            self._given_up.add(name)
            self.returns[name] = await self.people.drivers[name].ask_card_return()

    async def _look_at_returns(self) -> None:
        for name in self.returns:
            self.returns[name] = await self.people.drivers[name].card_return()

    async def _top_up(self, role: Role) -> None:
        for name in self.plan.drivers_in(role):
            await self.people.drivers[name].top_up(PAYDAY_MINOR)

    async def _repay(self) -> None:
        for name in self.plan.drivers_in(Role.REPAYER):
            driver = self.people.drivers[name]
            await driver.top_up(PAYDAY_MINOR)
            self.repaid_minor += (await driver.repay())["paid_minor"]
            await get_credentials(self.people, [name], now_s=self.pace.now_ms // 1000)

    def _instant(self, at_ms: int) -> datetime:
        return self.plan.first_day + timedelta(milliseconds=at_ms - _ms(self.plan.first_day))


def _ms(at: datetime) -> int:
    return int(at.timestamp()) * 1000
