"""Does a problem without a penalty have a minimum at all?  Directions in which the loss never increases."""

from __future__ import annotations

from sightline.certificate import Witness
from sightline.working import Working


def falling_direction(working: Working) -> Witness | None:
    """A verified direction along which the loss never increases and somewhere falls, or None if there is none."""
    return None
