"""What a revision looks like in the cluster, and what the cluster says of it.

Pure: builders give complete objects for server-side apply, readers take raw objects and give records. No
    client, no clock; an
instant is always one that the API server wrote.

    revision.py    the ModelRevision that a spec asks for
    deployment.py  its Deployment
    fetch.py       the init container and the volumes of a model that is fetched
    fetching.py    how far that is, and why it failed
    service.py     the two slot Services and the stable one
    capacity.py    how many replicas a share of the traffic needs
    pods.py        health of an arm from its Deployment and pods
    differences.py whether applying an object would change anything
"""

from serin.workloads.capacity import replicas_needed
from serin.workloads.deployment import desired_deployment
from serin.workloads.differences import differs
from serin.workloads.fetch import Fetcher, NoFetcher
from serin.workloads.fetching import Fetching
from serin.workloads.ownership import owned_by, owner_reference
from serin.workloads.pods import ArmHealth, Crash, arm_health
from serin.workloads.revision import desired_revision
from serin.workloads.service import slot_service, stable_service

__all__ = [
    "ArmHealth",
    "Crash",
    "Fetcher",
    "Fetching",
    "NoFetcher",
    "arm_health",
    "desired_deployment",
    "desired_revision",
    "differs",
    "owned_by",
    "owner_reference",
    "replicas_needed",
    "slot_service",
    "stable_service",
]
