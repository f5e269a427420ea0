"""A training that was stopped, or killed at any moment, goes on bit for bit as if it had not been."""

import os
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import sightline as sl

RECIPES = {
    "sgd": sl.Recipe(
        "sgd", lr=0.1, momentum=0.9, batch_size=9, epochs=6, shuffle=True, schedule=("StepLR", {"step_size": 2})
    ),
    "adam": sl.Recipe("adam", lr=0.01, batch_size=9, epochs=6, shuffle=True, seed=3, schedule="ReduceLROnPlateau"),
    "adamw": sl.Recipe(
        "adamw", lr=0.01, batch_size=30, epochs=6, schedule_per="step",
        schedule=("OneCycleLR", {"max_lr": 0.1, "total_steps": 24}),
    ),
    "lbfgs": sl.Recipe("lbfgs", lr=0.1, batch_size=50, epochs=6, shuffle=True, seed=1),
    "adagrad": sl.Recipe("adagrad", lr=0.1, epochs=12, schedule=("MultiStepLR", {"milestones": [3, 5]})),
    "radam": sl.Recipe("radam", lr=0.1, epochs=12),
}  # fmt: skip


def run(name, path=None, every=None, callback=None, epochs=None):
    """One training, dropout and all, always from the same start."""
    torch.manual_seed(0)
    X = torch.randn(95, 4)
    y = (X[:, :1] + 0.5 * torch.randn(95, 1) > 0).float()
    module = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.2), nn.Linear(3, 1))
    recipe = RECIPES[name] if epochs is None else RECIPES[name].but(epochs=epochs)
    return sl.train(
        module, (X, y), nn.BCEWithLogitsLoss(), recipe, checkpoint=path, checkpoint_every=every, callback=callback,
        certify=False,
    )


def assert_same(one, other):
    for a, b in zip(one.module.state_dict().values(), other.module.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert one.n_iter == other.n_iter
    for name in ("step", "epoch", "learning_rate"):
        assert getattr(one.trace, name) == getattr(other.trace, name)
    assert one.trace.batch_loss[1:] == other.trace.batch_loss[1:]
    for a, b in zip(one.trace.states, other.trace.states, strict=True):
        assert all(torch.equal(s, t) for s, t in zip(a, b))


@pytest.mark.parametrize("name", RECIPES)
def test_a_training_that_was_stopped_goes_on_bit_for_bit(name, tmp_path):
    whole = run(name)
    path = tmp_path / "training.st"
    per_epoch = whole.n_iter // RECIPES[name].epochs
    for stop in (1, per_epoch, per_epoch + 1, 2 * per_epoch + 3):  # within an epoch and at its end
        run(name, path, every=1000, callback=lambda m, stop=stop: m.step >= stop)
    resumed = run(name, path)
    assert_same(resumed, whole)
    assert_same(run(name, path), whole)  # a finished one stays as it is
    assert resumed.stopped == ""


def test_a_finished_training_goes_on_for_more_epochs(tmp_path):
    path = tmp_path / "training.st"
    run("adam", path)
    assert_same(run("adam", path, epochs=9), run("adam", epochs=9))


def test_a_loader_with_random_rows_goes_on_bit_for_bit(tmp_path):
    def training(path=None, stop=None):
        torch.manual_seed(0)
        X = torch.randn(40, 4)
        y = (X[:, :1] > 0).float()
        torch.manual_seed(1)

        def collate(items):
            rows = torch.stack([x for x, _ in items])
            return rows + 0.1 * torch.randn_like(rows), torch.stack([t for _, t in items])

        generator = torch.Generator().manual_seed(5)
        loader = DataLoader(
            TensorDataset(X, y), batch_size=7, shuffle=True, collate_fn=collate, generator=generator
        )
        module = nn.Linear(4, 1)
        return sl.train(
            module, loader, nn.BCEWithLogitsLoss(), sl.Recipe("adam", lr=0.1, epochs=5), checkpoint=path,
            callback=None if stop is None else lambda m: m.step == stop, certify=False,
        )

    path = tmp_path / "training.st"
    training(path, stop=15)
    assert_same(training(path), training())


KILLER = """
import os, signal, sys, time
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_recipes_checkpoint import run

run("adagrad")  # so that no child has to import anything
path, kills = Path({path!r}), 0
for writes, delay in [(1, 0.0), (2, 0.0005), (1, 0.004), (5, 0.002), (3, 0.001), (9, 0.0), (2, 0.003), (4, 0.006)]:
    child = os.fork()
    if child == 0:
        run("sgd", str(path), every=1)
        os._exit(0)
    seen = last = 0
    while seen < writes and os.waitpid(child, os.WNOHANG) == (0, 0):
        now = path.stat().st_mtime_ns if path.exists() else 0
        seen, last = seen + (now != last), now
        time.sleep(0.0003)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    kills += os.WIFSIGNALED(os.waitpid(child, 0)[1])
print(kills)
"""


def test_killed_at_any_moment(tmp_path):
    """kill -9 some milliseconds after so many writes of the file: during steps, and during the writing of the next."""
    path = tmp_path / "training.st"
    code = KILLER.format(tests=os.path.dirname(__file__), path=str(path))
    # A child made by fork has none of OpenMP's threads, and would wait for them.
    alone = dict(os.environ, OMP_NUM_THREADS="1")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120, env=alone
    )
    assert done.stdout.split() == ["8"]
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # sums of several threads have other bits
    try:
        assert_same(run("sgd", path), run("sgd"))
    finally:
        torch.set_num_threads(before)
    assert os.listdir(tmp_path) == ["training.st"]


def test_a_damaged_or_foreign_checkpoint_is_refused(tmp_path):
    path = tmp_path / "training.st"
    run("adam", path)
    content = path.read_bytes()
    for place in (5, 200, len(content) // 2, len(content) - 1):
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        path.write_bytes(damaged)
        with pytest.raises(sl.ModelFileError, match="damaged"):
            run("adam", path)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(sl.ModelFileError, match="damaged"):
        run("adam", path)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"another training: its recipe differs.*lr=0\.01 there|another training"):
        run("sgd", path)


def test_a_checkpoint_of_other_data_is_refused(tmp_path):
    def training(X):
        module = nn.Linear(2, 1)
        return sl.train(module, (X, X[:, :1]), nn.MSELoss(), sl.Recipe(lr=0.1, epochs=2), checkpoint=tmp_path / "t.st")

    training(torch.ones(5, 2))
    with pytest.raises(ValueError, match="its data differs"):
        training(torch.zeros(5, 2))


def test_a_checkpoint_that_cannot_be_written_says_so(tmp_path):
    with pytest.raises(sl.ModelFileError, match="could not be saved"):
        run("adam", tmp_path / "no such folder" / "training.st")


def test_a_training_that_was_finished_keeps_its_last_loss(tmp_path):
    def train():
        torch.manual_seed(0)
        X = torch.randn(20, 2)
        return sl.train(
            nn.Linear(2, 1), (X, (X[:, :1] > 0).float()), nn.BCEWithLogitsLoss(), sl.Recipe(epochs=7), record="ends",
            checkpoint=tmp_path / "training.st", certify=False,
        )  # fmt: skip

    first = train()
    assert train().trace.batch_loss[-1] == first.trace.batch_loss[-1]
