"""``with sl.watch()`` and the magic ``%%sightline``, with a shell that is none."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import sightline as sl
from sightline.check.notebook import options

RULE = ("missing-zero-grad",)  # one is enough: the rules have tests of their own
CELL = """
model = nn.Linear(2, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    opt.zero_grad()
    F.mse_loss(model(X), y).backward()
    opt.step()
"""


def names() -> dict[str, object]:
    torch.manual_seed(0)
    return {"torch": torch, "nn": nn, "F": F, "X": torch.randn(30, 2), "y": torch.randn(30, 1)}


class Shell:
    """As much of IPython's shell as an extension uses."""

    def __init__(self) -> None:
        self.magics: dict[tuple[str, str], object] = {}
        self.names = names()

    def register_magic_function(self, function, magic_kind: str, magic_name: str) -> None:
        self.magics[magic_kind, magic_name] = function

    def run_cell(self, cell: str) -> SimpleNamespace:
        try:
            exec(compile(cell, "<ipython-input-3-abc>", "exec"), self.names)
        except BaseException as error:  # IPython shows it, and goes on
            return SimpleNamespace(error_in_exec=error, error_before_exec=None)
        return SimpleNamespace(error_in_exec=None, error_before_exec=None)


def test_a_block() -> None:
    here = names()
    with sl.watch(attempt=False, select=RULE) as training:
        assert repr(training) == "<watch: running>"
        exec(CELL, here)
        with pytest.raises(RuntimeError, match="after the `with` block"):
            training.report()
    report = training.report()
    assert report is training.report()
    assert report.training["backward_passes"] == 20 and report.ending == "finished"
    assert report.script.endswith("test_check_notebook.py")
    assert "steps" in repr(training) or "SGD" in repr(training)
    page = training._repr_html_()
    assert page.startswith("<iframe srcdoc=") and "&lt;!doctype html&gt;" in page and "<!doctype" not in page


def test_an_error_passes_through_and_a_limit_ends_the_block() -> None:
    training = sl.watch(attempt=False, select=RULE)
    with pytest.raises(RuntimeError, match="nothing was watched yet"):
        training.report()
    with pytest.raises(ZeroDivisionError), training:
        exec(CELL + "1 / 0", names())
    assert (training.recording.ending, training.recording.backwards) == ("error", 20)
    with sl.watch(max_steps=5) as training:
        exec(CELL, names())
    assert (training.recording.ending, training.recording.backwards) == ("step limit", 5)
    with pytest.raises(ValueError, match="every is 0"):
        sl.watch(every=0)
    assert torch._C._len_torch_function_stack() == 0


def test_the_magic() -> None:
    shell = Shell()
    sl.load_ipython_extension(shell)
    magic = shell.magics["cell", "sightline"]
    training = magic("--no-try --select missing-zero-grad", CELL)
    report = training.report()
    assert report.script == "the cell" and report.training["backward_passes"] == 20
    assert training.recording.stretches[0].names == ["model.weight", "model.bias"]
    training = magic("--no-try --every 7", CELL + "model(torch.ones(3, 9))")
    assert training.every == 7 and training.recording.ending == "error"
    assert training.recording.failures[0].name == "linear"
    assert magic("--max-steps=3", CELL).recording.ending == "step limit"


def test_options_of_the_magic() -> None:
    found = options("--every 10 --max-steps=5 --no-try --select a,b --ignore c")
    assert found == {"every": 10, "max_steps": 5, "attempt": False, "select": ["a", "b"], "ignore": ["c"]}
    with pytest.raises(ValueError, match="no option '--evry'"):
        options("--evry 3")
    with pytest.raises(ValueError, match="--every needs a positive number of steps, not ''"):
        options("--every")


def test_nothing_is_imported_for_it() -> None:
    code = "import sightline, sys; sightline.load_ipython_extension; print({\"torch\", \"IPython\"} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"
