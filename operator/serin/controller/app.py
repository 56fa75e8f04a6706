"""The operator, put together.

    kopf watches ---> cache, queue <--- sync lists (start, resync)
                          |
    lease: leading? ---> workers ---> reconcile: observe, decide, apply
                                          |
    metric sources' clocks <--- wants ----+---> readings, wake-ups

A stand-by watches too, so that its cache is warm when it takes over; only the leader's workers run.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import kopf

from serin import __version__
from serin.controller import handlers
from serin.controller.apply import Writer
from serin.controller.cache import Cache
from serin.controller.config import Config
from serin.controller.deletion import Deletion
from serin.controller.events import Recorder
from serin.controller.evidence import Evidence
from serin.controller.forgetful import Forgetful
from serin.controller.health import Health
from serin.controller.heap import give_back_memory, one_arena
from serin.controller.kube import Kube
from serin.controller.lease import Leadership, Terms
from serin.controller.memory import Key
from serin.controller.queue import WorkQueue
from serin.controller.reconcile import Reconciler
from serin.controller.served import until_served
from serin.controller.sync import Sync
from serin.controller.telemetry import Telemetry
from serin.metrics.hub import Hub

logger = logging.getLogger(__name__)

TIDY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Options:
    """How the process was started. kubeconfig None: the pod's service account."""

    config: Config
    kubeconfig: Path | None = None


async def run(options: Options) -> None:
    """Run until a signal stops it.

    Raises:
        LostLease: leadership was lost; start anew.
        PortTaken: somebody else listens on the health port.
    """
    config = options.config
    one_arena()
    kube = await Kube.connect(str(options.kubeconfig) if options.kubeconfig is not None else None)
    cache, queue, telemetry = Cache(), WorkQueue[Key](), Telemetry()
    kube.on_request = telemetry.requested
    telemetry.watch_depth(lambda: float(len(queue)))
    instance = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
    evidence = Evidence({source.name: Hub(source) for source in config.metric_sources}, queue.add)
    recorder = Recorder(kube, instance)
    writer = Writer(kube, cache, config.artifacts.fetcher() if config.artifacts is not None else None)
    reconciler = Reconciler(
        cache, writer, Deletion(kube, cache), evidence, recorder, telemetry, config, queue.add_later
    )
    sync = Sync(kube, cache, config.namespaces, queue.add)
    health = Health(config.listen, telemetry.registry, lambda: sync.done)

    async def lead() -> None:
        telemetry.leading(True)
        sync.add_all()
        async with asyncio.TaskGroup() as group:
            group.create_task(queue.run(reconciler.look, config.workers))
            group.create_task(evidence.run())
            group.create_task(recorder.run())
            group.create_task(sync.forever(config.resync_seconds))

    stopped = asyncio.Event()
    _on_signals(stopped.set)

    async def operate() -> None:
        # kopf looks for kinds only once. The watches come before the lists, so that nothing falls between the two.
        await until_served(kube, (*handlers.WHOLE, *handlers.OWNED), next(iter(config.namespaces), None))
        watching = asyncio.ensure_future(_watch(options, cache, queue, instance, stopped.set))
        tidying = asyncio.ensure_future(_tidy())
        working = asyncio.ensure_future(_work(sync, lambda: _led(kube, config, instance, lead)))
        # The lease is given back before kopf is stopped: kopf's end waits for whatever else runs, and then cancels it.
        try:
            await _until_first_ends(working, watching)
        finally:
            tidying.cancel()

    await health.start()
    sources = [f"{source.name} {source.url}" for source in config.metric_sources]
    if not sources:
        logger.warning("no metricSources are configured: nothing can be compared, every rollout will wait")
    logger.info(
        "starting",
        extra={"version": __version__, "sources": sources, "namespaces": list(config.namespaces) or "all"},
    )
    try:
        await _until_first_ends(asyncio.ensure_future(operate()), asyncio.ensure_future(_set(stopped)))
    finally:
        evidence.close()
        await health.stop()
        await kube.close()


def _on_signals(stop: Callable[[], None]) -> None:
    """Stop in our own order when told to; in place of whatever handled these signals before."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


async def _set(event: asyncio.Event) -> None:
    await event.wait()


async def _tidy() -> None:
    """Once kopf has read everything a second time; what that took would else be ours for ever."""
    await asyncio.sleep(TIDY_SECONDS)
    give_back_memory()


async def _work(sync: Sync, led: Callable[[], Awaitable[None]]) -> None:
    await sync.until_done()
    await led()


async def _led(kube: Kube, config: Config, instance: str, lead: Any) -> None:
    election = config.leader_election
    if not election.enabled:
        await lead()
        return
    terms = Terms(election.lease_seconds, election.renew_seconds, election.retry_seconds)
    await Leadership(kube, election.namespace, election.name, instance, terms).run(lead)


async def _until_first_ends(*tasks: asyncio.Future[None]) -> None:
    """Wait until one task ends, stop the others one after another, and raise what it raised."""
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended = [task for task in tasks if task.done() and not task.cancelled()]
        for task in tasks:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    for task in ended:
        task.result()


async def _watch(
    options: Options, cache: Cache, queue: WorkQueue[Key], instance: str, stop: Callable[[], None]
) -> None:
    """Run kopf's watchers until cancelled."""
    registry = kopf.OperatorRegistry()
    settings = kopf.OperatorSettings()
    namespaces = options.config.namespaces
    handlers.configure(settings, namespaced=bool(namespaces))
    handlers.register(registry, cache, queue.add)
    if options.kubeconfig is not None:
        os.environ["KUBECONFIG"] = str(options.kubeconfig)
    kopf.on.login(registry=registry, id="login")(_login)
    others = asyncio.all_tasks()
    tasks = await kopf.spawn_tasks(
        registry=registry,
        settings=settings,
        memories=Forgetful(),
        # kopf asks for the user's name to make one up, and an image need not have a name for its user.
        identity=cast("Any", instance),
        standalone=True,
        clusterwide=not namespaces,
        namespaces=namespaces,
    )
    _on_signals(stop)  # kopf has just taken the signals; its way to stop is to wait for us and then to cancel us
    await kopf.run_tasks(tasks, ignored=others)


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)
