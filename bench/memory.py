"""Peak memory beside the data.

Defined as: the highest resident set of the process during the fit, minus its resident set just before, when the data
are loaded in the form the solver takes and a priming fit on a few rows has made it import and compile all it needs. On
Linux the kernel's high-water mark is set back before the fit; elsewhere ``ru_maxrss`` is used as it is, which can hide
a fit smaller than what went before.
"""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def _status(key: str) -> int | None:
    """A line of the kernel's account of this process, in bytes."""
    try:
        for line in STATUS.read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def _max_rss() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class Peak:
    """``peak = Peak(); fit(); peak.bytes()``."""

    def __init__(self) -> None:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
        self.before = _status("VmRSS") or _max_rss()

    def bytes(self) -> int:
        """Resident bytes above the start, at the highest."""
        return max(0, (_status("VmHWM") or _max_rss()) - self.before)
