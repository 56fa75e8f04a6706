"""One file for each data plane and model server that Serin can read: data and small pure functions."""

from collections.abc import Mapping

from serin.metrics.presets.base import Preset, unsupported
from serin.metrics.presets.envoy_gateway import ENVOY_GATEWAY
from serin.metrics.presets.istio import ISTIO, ISTIO_WAYPOINT
from serin.metrics.presets.kserve import KSERVE
from serin.metrics.presets.mlserver import MLSERVER
from serin.metrics.presets.traefik import TRAEFIK
from serin.metrics.presets.triton import TRITON
from serin.metrics.presets.vllm import VLLM

__all__ = ["PRESETS", "Preset", "preset_named", "unsupported"]

PRESETS: Mapping[str, Preset] = {
    preset.name: preset for preset in (TRAEFIK, ISTIO, ISTIO_WAYPOINT, ENVOY_GATEWAY, VLLM, TRITON, KSERVE, MLSERVER)
}
"""All presets by name."""


def preset_named(name: str) -> Preset:
    """The preset of this name.

    Raises:
        ValueError: there is none; the text lists those that are.
    """
    try:
        return PRESETS[name]
    except KeyError:
        raise ValueError(f"no metrics preset {name!r}; there are {', '.join(sorted(PRESETS))}") from None
