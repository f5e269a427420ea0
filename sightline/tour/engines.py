"""What this machine can run quickly."""

from __future__ import annotations

import torch


def compiled_here() -> bool:
    """Whether the compiled engine can be had: without a C compiler a million steps would take minutes."""
    from sightline.recipes.compiled.library import NoLibrary, load

    try:
        load(torch.float32)
        load(torch.float64)
    except NoLibrary:
        return False
    return True
