"""Kubernetes Events: one per transition. They are for people; nothing reads them back, so a lost one is no harm."""

from __future__ import annotations

import asyncio
import logging
import uuid
from datetime import UTC, datetime
from typing import Any

from serin.api.names import API_VERSION
from serin.controller.kube import EVENT, Kube, KubeError
from serin.rollout.decision import Note

logger = logging.getLogger(__name__)

WAITING_MAX = 1000
NOTE_BYTES_MAX = 1024


class Recorder:
    """Writes Events in the background, in order, never in the way of a look."""

    def __init__(self, kube: Kube, instance: str) -> None:
        """`instance`: who reports, for instance the pod's name."""
        self._kube, self._instance = kube, instance
        self._waiting: asyncio.Queue[tuple[dict[str, Any], Note]] = asyncio.Queue(WAITING_MAX)

    def tell(self, raw: dict[str, Any], note: Note) -> None:
        """Have an Event written about a ModelDeployment; dropped when a thousand wait already."""
        try:
            self._waiting.put_nowait((raw["metadata"], note))
        except asyncio.QueueFull:
            logger.warning("event dropped", extra={"reason": note.reason.value})

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            metadata, note = await self._waiting.get()
            try:
                await self._kube.create(EVENT, self._event(metadata, note))
            except KubeError as error:
                logger.warning("event not written", extra={"why": str(error)})

    def _event(self, metadata: dict[str, Any], note: Note) -> dict[str, Any]:
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name']}.{uuid.uuid4().hex[:16]}", "namespace": metadata["namespace"]},
            "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "type": note.kind,
            "reason": note.reason.value,
            "action": note.reason.value,
            "note": note.message.encode()[:NOTE_BYTES_MAX].decode(errors="ignore"),
            "reportingController": "serin.dev/operator",
            "reportingInstance": self._instance,
            "regarding": {
                "apiVersion": API_VERSION,
                "kind": "ModelDeployment",
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata.get("uid", ""),
            },
        }
