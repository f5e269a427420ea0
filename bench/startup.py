"""``python -m bench.startup``: what ``import sightline`` costs over ``import torch``, and ``sightline --help``."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
IMPORT_GOAL, HELP_GOAL = 0.050, 0.150
REPEATS = 11


def best_and_median(command: list[str]) -> tuple[float, float]:
    """Wall seconds of a command, after one run that warms the file cache."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
    times = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return min(times[1:]), median(times[1:])


def main() -> int:
    """Print both; exit status 1 where a goal is missed (judged by the fastest of the runs)."""
    torch, torch_median = best_and_median([sys.executable, "-c", "import torch"])
    both, both_median = best_and_median([sys.executable, "-c", "import torch, sightline"])
    alone, alone_median = best_and_median([sys.executable, "-c", "import sightline"])
    script = Path(sys.executable).with_name("sightline")
    cli = [str(script)] if script.exists() else [sys.executable, "-m", "sightline"]
    shown, shown_median = best_and_median([*cli, "--help"])
    over = both - torch
    print(f"import torch             {torch * 1e3:7.0f} ms (median {torch_median * 1e3:.0f})")
    print(f"import torch, sightline  {both * 1e3:7.0f} ms (median {both_median * 1e3:.0f})")
    print(f"import sightline alone   {alone * 1e3:7.0f} ms (median {alone_median * 1e3:.0f})")
    print(f"over torch               {over * 1e3:7.0f} ms, goal {IMPORT_GOAL * 1e3:.0f}")
    print(
        f"sightline --help         {shown * 1e3:7.0f} ms (median {shown_median * 1e3:.0f}), goal {HELP_GOAL * 1e3:.0f}"
    )
    return 0 if over <= IMPORT_GOAL and shown <= HELP_GOAL else 1


if __name__ == "__main__":
    raise SystemExit(main())
