"""Two processes and one Lease, on a real API server."""

from __future__ import annotations

import asyncio

import pytest

from serin.controller.kube import LEASE, Kube
from serin.controller.lease import Leadership, LostLease, Terms

TERMS = Terms(lease_seconds=3, renew_seconds=2, retry_seconds=0.2, standby_seconds=0.1)


class Lead:
    """Leads until it is stopped."""

    def __init__(self) -> None:
        self.began, self.ended = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> None:
        """Lead."""
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()


def start(kube: Kube, namespace: str, identity: str) -> tuple[Lead, asyncio.Task[None]]:
    """A process that wants to lead."""
    lead = Lead()
    return lead, asyncio.create_task(Leadership(kube, namespace, "serin", identity, TERMS).run(lead))


async def test_one_leads_and_hands_over_when_it_ends(kube: Kube, namespace: str) -> None:
    """Released on exit: the other one leads long before the lease's duration is over."""
    first, one = start(kube, namespace, "one")
    await asyncio.wait_for(first.began.wait(), 10)
    second, two = start(kube, namespace, "two")
    await asyncio.sleep(2 * TERMS.lease_seconds)
    assert not second.began.is_set(), "it is renewed"
    one.cancel()
    await asyncio.gather(one, return_exceptions=True)
    assert first.ended.is_set()
    lease = await kube.get(LEASE, namespace, "serin")
    assert lease["spec"]["holderIdentity"] in ("", "two")
    await asyncio.wait_for(second.began.wait(), TERMS.lease_seconds)
    lease = await kube.get(LEASE, namespace, "serin")
    assert lease["spec"]["holderIdentity"] == "two"
    assert lease["spec"]["leaseTransitions"] == 1
    two.cancel()
    await asyncio.gather(two, return_exceptions=True)


async def test_many_that_start_together_make_one_leader(kube: Kube, namespace: str) -> None:
    """Creation and replacement both let exactly one through."""
    starts = [start(kube, namespace, f"number-{number}") for number in range(8)]
    await asyncio.sleep(1.5)
    assert sum(lead.began.is_set() for lead, _ in starts) == 1
    for _, task in starts:
        task.cancel()
    await asyncio.gather(*(task for _, task in starts), return_exceptions=True)


async def test_a_leader_whose_lease_was_taken_stops(kube: Kube, namespace: str) -> None:
    """Somebody else's name stands in it: after the renewal's deadline it leads no more, and leaves the Lease alone."""
    lead, task = start(kube, namespace, "one")
    await asyncio.wait_for(lead.began.wait(), 10)
    for _ in range(20):
        live = await kube.get(LEASE, namespace, "serin")
        live["spec"] |= {"holderIdentity": "thief", "leaseDurationSeconds": 3600}
        try:
            await kube.replace(LEASE, live)
            break
        except Exception:  # noqa: BLE001 - a renewal came between; again
            await asyncio.sleep(0.01)
    with pytest.raises(LostLease):
        await asyncio.wait_for(task, 10)
    assert lead.ended.is_set()
    assert (await kube.get(LEASE, namespace, "serin"))["spec"]["holderIdentity"] == "thief"
