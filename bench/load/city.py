"""The agenda carried out in Locust: one dispatcher starts every act when it is due, whatever became of those before."""

import json
import pickle
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import gevent  # type: ignore[import-untyped]
from gevent.lock import BoundedSemaphore  # type: ignore[import-untyped]
from gevent.pool import Pool  # type: ignore[import-untyped]
from locust.contrib.fasthttp import FastHttpSession

from bench.load.agenda import LOOK, POLL, UPLOAD, Agenda, Exit
from bench.load.cards import Cards, cards_path
from bench.load.journals import Chain, body_of
from bench.load.signing import Signer

_BUSY: Final = frozenset({429, 503})
# What Locust says of a request that got no answer.
_NO_ANSWER: Final = 0
_LEAD_SECONDS: Final = 0.5
_PAUSE_SECONDS: Final = 1.0
_TRIES_MAX: Final = 30


def read_agenda(path: str) -> Agenda:
    """What `python -m bench.load` has prepared."""
    agenda: Agenda = pickle.loads(Path(path).read_bytes())
    return agenda


class City:
    """Gates and drivers at one service."""

    def __init__(self, client: FastHttpSession, agenda: Agenda, *, authority: str) -> None:
        self._client = client
        self._agenda = agenda
        self._authority = authority
        self._leaving = agenda.leaving
        operators = range(agenda.town.size.operators)
        self._cards = [Cards(cards_path(agenda.outbox, operator)) for operator in operators]
        self._gates = [
            GateDesk(agenda.exits[gate.lot] if gate.direction == "exit" else []) for gate in agenda.town.gates
        ]
        self._epoch = int(time.time())
        self._begun = 0.0
        self._begun_ms = 0

    def run(self) -> None:
        """Everything on the agenda, to the last answer."""
        acts, pool = {UPLOAD: self._upload, POLL: self._poll, LOOK: self._look}, Pool()
        self._begun = time.perf_counter() + _LEAD_SECONDS
        self._begun_ms = int((time.time() + _LEAD_SECONDS) * 1_000)
        for act in self._agenda.acts:
            gevent.sleep(max(0.0, self._begun + act.due - time.perf_counter()))
            pool.spawn(acts[act.kind], self._begun + act.due, act.number)
        pool.join()

    def _upload(self, due: float, number: int) -> None:
        """What the gate saw since its last upload; sent again, when the service says so, until it is acknowledged."""
        desk, gate = self._gates[number], self._agenda.town.gates[number]
        with desk.turn:
            seen = desk.take(due - self._begun)
            if not seen:
                return
            first_seq, prev_hash = desk.chain.seq + 1, desk.chain.hash.hex()
            scans = b",".join(
                desk.chain.append(self._cards[gate.operator][one.card], self._wall_ms(one)) for one in seen
            )
            path = self._signer(number).path("scans")
            for _ in range(_TRIES_MAX):
                now_ms = time.time_ns() // 1_000_000
                body = body_of(self._epoch, first_seq, prev_hash, scans, at_ms=now_ms, last_sync_ms=now_ms - 60_000)
                headers = {"Content-Type": "application/json", **self._signed(number, "POST", path, body)}
                answer = self._request(due, "POST", path, name="upload scans", headers=headers, body=body)
                if answer.status_code not in _BUSY | {_NO_ANSWER}:
                    return
                gevent.sleep(float((answer.headers or {}).get("Retry-After", _PAUSE_SECONDS)))

    def _poll(self, due: float, number: int) -> None:
        """The bundle, or that the gate has the newest."""
        desk = self._gates[number]
        path = self._signer(number).path("bundle")
        headers = self._signed(number, "GET", path, b"")
        if desk.etag is not None:
            headers["If-None-Match"] = desk.etag
        answer = self._request(due, "GET", path, name="poll bundle", headers=headers)
        if answer.status_code == 200:
            desk.etag = answer.headers.get("ETag")

    def _look(self, due: float, number: int) -> None:
        """A driver who leaves looks: my stays, what the open one costs now, and what I was charged."""
        headers = {"Authorization": f"Bearer {self._agenda.sessions[number]}"}
        answer = self._request(due, "GET", "/v1/driver/stays?limit=5", name="driver: stays", headers=headers)
        if answer.status_code == 200:
            open_stays = [stay["stay_id"] for stay in json.loads(answer.text)["stays"] if stay["state"] == "open"]
            for stay in open_stays[:1]:
                path = f"/v1/driver/stays/{stay}/quote"
                self._request(time.perf_counter(), "GET", path, name="driver: quote", headers=headers)
        self._request(time.perf_counter(), "GET", "/v1/driver/charges?limit=5", name="driver: charges", headers=headers)

    def _request(
        self, due: float, method: str, path: str, *, name: str, headers: dict[str, str], body: bytes | None = None
    ) -> Any:
        """One request, whose time counts from when it was due and not from when we came to send it."""
        # Locust's stub knows no bytes, its client takes them as they are.
        with self._client.request(
            method,
            path,
            name=name,
            headers=headers,
            data=body,  # type: ignore[arg-type]
            catch_response=True,
        ) as answer:
            answer.request_meta["response_time"] = (time.perf_counter() - due) * 1_000
            if answer.status_code in _BUSY:
                answer.failure(f"refused {answer.status_code}")
        return answer

    def _signed(self, number: int, method: str, path: str, body: bytes) -> dict[str, str]:
        return self._signer(number).headers(method, path, body, created_s=int(time.time()))

    def _signer(self, number: int) -> Signer:
        gate = self._agenda.town.gates[number]
        return Signer(gate.text, gate.secret, self._authority)

    def _wall_ms(self, one: Exit) -> int:
        return self._begun_ms + int(one.due * 1_000)


class GateDesk:
    """What a gate remembers: its journal, its bundle, and which cars are still to come through."""

    def __init__(self, exits: Sequence[Exit]) -> None:
        self.chain = Chain("exit")
        self.etag: str | None = None
        # One upload at a time, as a gate has one line.
        self.turn = BoundedSemaphore()
        self._exits = exits
        self._next = 0

    def take(self, now: float) -> list[Exit]:
        """The cars that have left since the last time."""
        first = self._next
        while self._next < len(self._exits) and self._exits[self._next].due <= now:
            self._next += 1
        return list(self._exits[first : self._next])
