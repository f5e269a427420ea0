"""Makes replay.png, the picture of docs/replay.md: `.venv/bin/python docs/images/replay.py`.  Needs Chromium."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch

import sightline as sl

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tests"))

from browser import browser  # noqa: E402 - Chromium, as the tests drive it


def line() -> sl.Training:
    """The line of the founding cases: batches of five, in order, from far away."""
    torch.manual_seed(1)
    x = torch.arange(-3, 3, 0.1)[:, None]
    y = x - 1 + 0.1 * torch.randn(x.shape)
    start = {"weight": torch.tensor([[-15.0]]), "bias": torch.tensor([-10.0])}
    recipe = sl.Recipe("sgd", lr=0.01, batch_size=5, epochs=10, start=start)
    return sl.train(torch.nn.Linear(1, 1), (x, y), torch.nn.MSELoss(), recipe)


with tempfile.TemporaryDirectory() as folder, browser() as chromium:
    page = sl.show.report(line(), Path(folder) / "replay.html")
    chromium.open(page, 1280, 1330)
    chromium.run("go(58)")
    chromium.picture(HERE / "replay.png")
    assert chromium.errors == []
