"""Who leads: client-go's rules, by our own clock."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest

from serin.controller.kube import Conflict, Kind, NotFound, Unavailable
from serin.controller.lease import Leadership, LostLease, Terms
from tests.unit.controller.clock import now, run

Json = dict[str, Any]
TERMS = Terms(lease_seconds=15, renew_seconds=10, retry_seconds=2, standby_seconds=1)


class OneLease:
    """An API server that holds one Lease."""

    def __init__(self) -> None:
        self.lease: Json | None = None
        self.away = False
        self.version = 0

    async def get(self, _kind: Kind, _namespace: str, name: str) -> Json:
        """Read it."""
        self._answer()
        if self.lease is None:
            raise NotFound(name)
        return copy.deepcopy(self.lease)

    async def create(self, _kind: Kind, obj: Json) -> Json:
        """Make it."""
        self._answer()
        if self.lease is not None:
            raise Conflict("it is there")
        return self._keep(obj)

    async def replace(self, _kind: Kind, obj: Json) -> Json:
        """Write it at the version that was read."""
        self._answer()
        if self.lease is None or obj["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise Conflict("it has moved")
        return self._keep(obj)

    def _answer(self) -> None:
        if self.away:
            raise Unavailable("no connection")

    def _keep(self, obj: Json) -> Json:
        self.version += 1
        self.lease = copy.deepcopy(obj) | {"metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}
        return self.lease

    @property
    def holder(self) -> str:
        """Who holds it."""
        assert self.lease is not None
        return str(self.lease["spec"]["holderIdentity"])

    @property
    def transitions(self) -> int:
        """How often it has changed hands."""
        assert self.lease is not None
        return int(self.lease["spec"]["leaseTransitions"])


class Lead:
    """Leads until told to end, and notes since when."""

    def __init__(self) -> None:
        self.since: float | None = None
        self.ended: float | None = None
        self.end = asyncio.Event()

    async def __call__(self) -> None:
        """Lead."""
        self.since = now()
        try:
            await self.end.wait()
        finally:
            self.ended = now()


def candidate(api: OneLease, name: str) -> tuple[Leadership, Lead, asyncio.Task[None]]:
    """Start a process that wants to lead."""
    leadership, lead = Leadership(api, "ns", "serin", name, TERMS), Lead()  # type: ignore[arg-type]
    return leadership, lead, asyncio.create_task(leadership.run(lead))


def test_the_first_one_leads_at_once() -> None:
    """It makes the Lease."""

    async def story() -> None:
        api = OneLease()
        leadership, lead, task = candidate(api, "one")
        await asyncio.sleep(100)
        assert lead.since == 0.0
        assert leadership.leading
        assert (api.holder, api.transitions) == ("one", 0)
        lead.end.set()
        await task
        assert not leadership.leading

    run(story())


def test_who_ends_releases_and_a_stand_by_takes_over_at_its_next_try() -> None:
    """Within a second, and not after the lease's duration."""

    async def story() -> None:
        api = OneLease()
        _, first, one = candidate(api, "one")
        await asyncio.sleep(5)
        _, second, _ = candidate(api, "two")
        await asyncio.sleep(20.3)
        assert second.since is None
        one.cancel()
        await asyncio.gather(one, return_exceptions=True)
        assert api.holder == ""
        await asyncio.sleep(1.1)
        assert api.holder == "two"
        assert second.since is not None
        assert first.ended is not None
        assert 0 < second.since - first.ended <= 1.0
        assert api.transitions == 1

    run(story())


def test_who_dies_is_replaced_after_the_leases_duration() -> None:
    """Counted from when the stand-by saw the last renewal, by its own clock."""

    async def story() -> None:
        api = OneLease()
        renewed = "2020-01-01T00:00:00.000000Z"  # long ago by the wall clock: clocks of machines are not compared
        await api.create(Kind("", "", "", ""), _held_by("dead", renewed))
        _, lead, _ = candidate(api, "two")
        await asyncio.sleep(15.5)
        assert lead.since is None
        await asyncio.sleep(1)
        assert lead.since == 16.0
        assert api.holder == "two"

    run(story())


def _held_by(name: str, renewed: str) -> Json:
    spec = {"holderIdentity": name, "renewTime": renewed, "leaseDurationSeconds": 15, "leaseTransitions": 0}
    return {"metadata": {"name": "serin", "namespace": "ns"}, "spec": spec}


def test_a_renewal_starts_the_wait_anew() -> None:
    """A holder that lives is never replaced."""

    async def story() -> None:
        api = OneLease()
        candidate(api, "one")
        await asyncio.sleep(1)
        _, lead, _ = candidate(api, "two")
        await asyncio.sleep(600)
        assert lead.since is None
        assert api.holder == "one"

    run(story())


def test_of_two_stand_bys_one_leads() -> None:
    """Both see the empty holder; the second write is a conflict."""

    async def story() -> None:
        api = OneLease()
        await api.create(Kind("", "", "", ""), _held_by("", "x"))
        leads = [candidate(api, name)[1] for name in ("one", "two", "three")]
        await asyncio.sleep(60)
        assert sum(lead.since is not None for lead in leads) == 1

    run(story())


def test_a_leader_that_cannot_renew_stops_before_another_may_lead() -> None:
    """Its work has ended when the lease's duration is over, and it says so."""

    async def story() -> None:
        api = OneLease()
        _, lead, task = candidate(api, "one")
        await asyncio.sleep(5)
        last_renewal = 4.0
        api.away = True
        with pytest.raises(LostLease):
            await task
        assert lead.ended is not None
        assert lead.ended - last_renewal <= TERMS.lease_seconds - TERMS.retry_seconds

    run(story())


def test_a_leader_that_sees_another_one_stops_at_once() -> None:
    """It was frozen for longer than its lease; waiting out its own deadline would make two that decide."""

    async def story() -> None:
        api = OneLease()
        _, lead, task = candidate(api, "one")
        await asyncio.sleep(5)
        assert api.lease is not None
        api.lease["spec"]["holderIdentity"] = "another"
        api.lease["metadata"]["resourceVersion"] = "77"
        with pytest.raises(LostLease):
            await task
        assert lead.ended is not None
        assert lead.ended - 5 <= TERMS.retry_seconds
        assert api.holder == "another", "and it leaves the lease alone"

    run(story())


def test_a_short_outage_does_not_end_the_lead() -> None:
    """Less than the renewal's deadline."""

    async def story() -> None:
        api = OneLease()
        _, lead, _ = candidate(api, "one")
        await asyncio.sleep(5)
        api.away = True
        await asyncio.sleep(7)
        api.away = False
        await asyncio.sleep(60)
        assert lead.ended is None
        assert api.transitions == 0

    run(story())


def test_what_the_work_raises_is_raised() -> None:
    """And the lease is released all the same."""

    async def story() -> None:
        api = OneLease()

        async def fail() -> None:
            raise RuntimeError("broken")

        with pytest.raises(RuntimeError, match="broken"):
            await Leadership(api, "ns", "serin", "one", TERMS).run(fail)  # type: ignore[arg-type]
        assert api.holder == ""

    run(story())
