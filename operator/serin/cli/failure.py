"""What a command fails with: one line that says what is wrong, and one that says what to do.

Failure          exit code 1
 +-- NoCluster     no usable kubeconfig
 +-- Unreachable   the API server cannot be asked right now
 +-- NoRights      the user may not do it
 +-- NotInstalled  the cluster has no such kind: Serin is not there, or of another version
 +-- NotThere      no object of that name
 +-- Refused       the API server does not take the object
 +-- Unusable      arguments or files; exit code 2
"""

from __future__ import annotations


class Failure(Exception):
    """A command that cannot do what was asked. The text says what is wrong, `remedy` what to do."""

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        """Say what is wrong, and what to do where anything can be done."""
        super().__init__(message)
        self.remedy = remedy


class NoCluster(Failure):
    """There is no usable kubeconfig."""


class Unreachable(Failure):
    """The API server cannot be asked right now."""


class NoRights(Failure):
    """The user may not do it, or is not known."""


class NotInstalled(Failure):
    """The cluster does not know the kind."""


class NotThere(Failure):
    """There is no object of that name."""


class Refused(Failure):
    """The API server does not take the object."""


class Unusable(Failure):
    """Arguments or files that nothing can be done with."""

    exit_code = 2
