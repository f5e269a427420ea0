"""Start-up stays short: what is imported when, and how long that takes.

Times are seconds of the processor, the least of up to ten runs in fresh processes: start-up waits for nothing else once
the files are in memory, and on a busy machine the clock measures the others. The modules that must not be there are
named as well, since they are what makes a start-up slow.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Callable

import pytest

IMPORT_BUDGET = 0.050  # seconds beyond `import torch`
HELP_BUDGET = 0.150  # seconds in all
HEAVY = {"IPython", "click", "matplotlib", "narwhals", "pandas", "polars", "pyarrow", "rich", "scipy", "sklearn"}


def python(code: str) -> str:
    """What a fresh interpreter prints when it runs `code`."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def imported_after(code: str) -> list[str]:
    """The names in `sys.modules` when a fresh interpreter that runs `code` ends."""
    at_end = "import atexit, json, sys; atexit.register(lambda: print(json.dumps(list(sys.modules))))"
    return json.loads(python(f"{at_end}\n{code}").splitlines()[-1])


def top_level(names: list[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def least(measure: Callable[[], float], budget: float) -> float:
    """The least of up to ten measurements, or the first within the budget."""
    best = float("inf")
    for _ in range(10):
        best = min(best, measure())
        if best <= budget:
            break
    return best


def test_import_brings_only_itself():
    extra = set(imported_after("import torch, sightline")) - set(imported_after("import torch"))
    assert top_level(sorted(extra)) - sys.stdlib_module_names == {"sightline"}


def test_import_costs_at_most_50_ms_over_torch():
    code = "import time, torch; start = time.process_time(); import sightline; print(time.process_time() - start)"
    best = least(lambda: float(python(code)), IMPORT_BUDGET)
    assert best <= IMPORT_BUDGET, f"import sightline took {best * 1e3:.0f} ms over import torch"


def test_fitting_a_tensor_imports_no_library_it_does_not_need():
    """`sl.fit` on tensors is work for torch and, through SciPy, LAPACK: no frames, no estimators, no pictures."""
    code = """
import torch, sightline as sl
sl.fit(torch.eye(3, dtype=torch.float64), torch.tensor([1.0, 2.0, 4.0]), loss="squared")
"""
    heavy = (top_level(imported_after(code)) - top_level(imported_after("import torch"))) & HEAVY - {"scipy"}
    assert not heavy, f"fitting a tensor imported {', '.join(sorted(heavy))}"


HELP = "import sys; sys.argv = ['sightline', '--help']; from sightline.cli import main; main()"


def test_help_does_not_import_torch():
    loaded = top_level(imported_after(HELP)) & ({"torch", "numpy", *HEAVY} - {"click"})
    assert not loaded, f"sightline --help imported {', '.join(sorted(loaded))}"


def test_help_takes_at_most_150_ms():
    def run() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        python(HELP)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    best = least(run, HELP_BUDGET)
    assert best <= HELP_BUDGET, f"sightline --help took {best * 1e3:.0f} ms"


def test_every_public_name_is_found_and_listed():
    import sightline

    assert {"fit", "certify", "load", "LogisticRegression"} <= set(sightline.__all__)
    assert set(sightline.__all__) <= set(dir(sightline))
    missing = [name for name in sightline.__all__ if not hasattr(sightline, name)]
    assert not missing


def test_unknown_name_is_an_attribute_error():
    import sightline

    with pytest.raises(AttributeError, match="no_such_name"):
        _ = sightline.no_such_name
