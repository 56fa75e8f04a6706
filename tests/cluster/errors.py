"""What can go wrong with a local cluster, said so that the reader knows what to do.

ClusterError            anything below; tests need catch nothing else
├── Unsupported         this machine cannot run it: not Linux, a program is missing, the kernel refuses
├── ToolMissing         a binary was neither found nor could be built or installed
├── NameTaken           a cluster of that name is running
└── StartFailed         a part did not come up; carries the end of its log
"""

from __future__ import annotations


class ClusterError(Exception):
    """The local cluster cannot do what was asked."""


class Unsupported(ClusterError):
    """This machine lacks what the local cluster stands on."""


class ToolMissing(ClusterError):
    """A program is needed that was neither found nor could be built or installed."""


class NameTaken(ClusterError):
    """A cluster of this name is running already."""


class StartFailed(ClusterError):
    """A part of the cluster did not come up."""
