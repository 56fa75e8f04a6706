"""Addresses for pods."""

from __future__ import annotations

import pytest

from tests.cluster.agent.network import Addresses, fake_addresses, real_addresses
from tests.cluster.settings import NODE_ADDRESS


def test_addresses_go_round() -> None:
    """An address given back is taken again only after all others."""
    addresses = Addresses(1, 3)
    first = addresses.take()
    addresses.give_back(first)
    assert [addresses.take() for _ in range(3)] == ["10.244.0.2", "10.244.0.3", first]
    with pytest.raises(RuntimeError, match="taken"):
        addresses.take()


def test_nobody_gets_the_nodes_address() -> None:
    """Real and fake pods share no address, and none gets the bridge's."""
    real, fake = real_addresses(), fake_addresses()
    given = [pool.take() for pool in (real, fake) for _ in range(3000)]
    assert len(set(given)) == 6000
    assert NODE_ADDRESS not in given
