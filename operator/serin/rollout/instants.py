"""Instants as text: how state keeps them and Kubernetes shows them."""

from datetime import datetime


def stamp(now: datetime) -> str:
    """An aware instant as Kubernetes writes it, to the second."""
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def instant_of(text: str) -> float:
    """Seconds since the epoch of what `stamp` wrote.

    Raises:
        ValueError: for any other text.
    """
    return datetime.fromisoformat(text).timestamp()
