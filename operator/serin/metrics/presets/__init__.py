"""One file for each data plane and model server that Serin can read: data and small pure functions."""

from collections.abc import Mapping

from serin.metrics.presets.base import Preset, unsupported
from serin.metrics.presets.traefik import TRAEFIK

__all__ = ["PRESETS", "Preset", "preset_named", "unsupported"]

PRESETS: Mapping[str, Preset] = {preset.name: preset for preset in (TRAEFIK,)}


def preset_named(name: str) -> Preset:
    """The preset of this name.

    Raises:
        ValueError: there is none; the text lists those that are.
    """
    try:
        return PRESETS[name]
    except KeyError:
        raise ValueError(f"no metrics preset {name!r}; there are {', '.join(sorted(PRESETS))}") from None
