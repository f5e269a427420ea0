"""The compiled engine: how a training ends, what the engine refuses, and where it gives way to the exact one."""

import copy
import itertools
import math
import os
import signal
import threading

import pytest
import torch
from compiled_cases import OPTIMIZERS, both, distance, own_cache, rows, whatever_the_length
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from sightline.recipes import Recipe, train
from sightline.recipes.compiled import NotCompiled, engine

DTYPES = (torch.float32, torch.float64)
cache = pytest.fixture(scope="module", autouse=True)(own_cache)
always = pytest.fixture(autouse=True)(whatever_the_length)


# ------------------------------------------------------------------------------------------------- how it ends


def test_recorded_steps_are_those_of_the_exact_engine():
    X, y = rows("real", 50, 4, torch.float32)
    for record in ("auto", "all", "epochs", "ends", 7, lambda step: step % 5 == 1):
        epochs = 50 if record == "auto" else 6  # beyond 2,000 steps some are left out
        recipe = Recipe(lr=0.01, batch_size=1, epochs=epochs)
        exact, compiled = both(nn.Linear(4, 1), (X, y), nn.MSELoss(), recipe, record=record)
        assert compiled.engine == "compiled"
        assert compiled.trace.step == exact.trace.step
        assert compiled.trace.epoch == exact.trace.epoch
        seconds = compiled.trace.seconds
        assert seconds == sorted(seconds) and seconds[0] >= 0


def test_the_module_ends_at_the_last_recorded_weights():
    X, y = rows("real", 50, 4, torch.float32)
    result = train(nn.Linear(4, 1), (X, y), nn.MSELoss(), Recipe(lr=0.1, epochs=300), engine="compiled")
    assert result.engine == "compiled"
    assert all(torch.equal(p, q) for p, q in zip(result.module.parameters(), result.trace.states[-1]))
    assert result.certificate.optimal
    assert "engine compiled" in str(result)


@pytest.mark.parametrize("loss", [nn.MSELoss(), nn.PoissonNLLLoss()])
@pytest.mark.parametrize("dtype", DTYPES)
def test_divergence_is_told_as_by_the_exact_engine(loss, dtype):
    X, y = rows("counts", 50, 4, dtype)
    recipe = Recipe(lr=20.0, batch_size=1, epochs=10)
    exact, compiled = both(nn.Linear(4, 1, dtype=dtype), (100 * X, y), loss, recipe, warn=False)
    assert exact.stopped.startswith("diverged")
    assert compiled.stopped == exact.stopped
    assert compiled.n_iter == exact.n_iter
    assert all(bool(torch.isfinite(p).all()) for p in compiled.module.parameters())


def long_training(**options):
    X, y = rows("real", 100, 4, torch.float32)
    return train(nn.Linear(4, 1), (X, y), nn.MSELoss(), Recipe(lr=1e-3, batch_size=1, epochs=10_000_000),
                 engine="compiled", certify=False, **options)  # fmt: skip


def test_time_limit():
    result = long_training(time_limit=0.3)
    assert result.stopped == "time_limit=0.3 s"
    assert 0 < result.n_iter < 10**9
    assert result.trace.step[-1] == result.n_iter


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
def test_interrupt_keeps_what_there_is_and_the_handler():
    timer = threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    result = long_training()
    assert result.stopped == "interrupted"
    assert result.trace.step[-1] == result.n_iter > 0
    assert all(torch.equal(p, q) for p, q in zip(result.module.parameters(), result.trace.states[-1]))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_optimizers_state_is_left_as_if_it_had_taken_the_steps(monkeypatch):
    made = []
    from sightline.recipes import training

    original = training.make_optimizer
    monkeypatch.setattr(training, "make_optimizer", lambda *a: made.append(original(*a)) or made[-1])
    X, y = rows("real", 50, 4, torch.float64)
    for name, arguments in OPTIMIZERS.values():
        made.clear()
        both(nn.Linear(4, 1, dtype=torch.float64), (X, y), nn.MSELoss(), Recipe(name, epochs=20, **arguments))
        exact, compiled = (optimizer.state_dict()["state"] for optimizer in made)
        assert exact.keys() == compiled.keys()
        for place, state in exact.items():
            assert {k for k, v in state.items() if v is not None} == set(compiled[place])
            for key, value in compiled[place].items():
                assert value.dtype == state[key].dtype
                assert torch.allclose(value, state[key], rtol=1e-9, atol=1e-12), (name, key)


# ---------------------------------------------------------------------------------------------- what it cannot do


class Scaled(nn.Linear):
    """Linear in x, but not with its own weight."""

    def forward(self, x):
        return super().forward(2 * x)


def refused(module, loss=None, recipe=None, targets="real", data=None, **options):
    data = rows(targets, 50, 4, torch.float32) if data is None else data
    before = copy.deepcopy(module.state_dict())
    with pytest.raises(NotCompiled) as caught:
        train(module, data, loss or nn.MSELoss(), recipe or Recipe(lr=0.1, epochs=50), engine="compiled", **options)
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    return str(caught.value)


def hooked():
    module = nn.Linear(4, 1)
    module.register_forward_hook(lambda *_: None)
    return module


def test_modules_that_it_cannot_train():
    assert "has 4 parameters (0.weight" in refused(nn.Sequential(nn.Linear(4, 2), nn.Linear(2, 1)))
    assert "are not X W' + b" in refused(Scaled(4, 1))
    assert "are not X W' + b" in refused(nn.Sequential(nn.Linear(4, 1), nn.Tanh()))
    assert "are not X W' + b" in refused(nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 1)))
    assert "runs no hooks" in refused(hooked())
    half = nn.Linear(4, 1, dtype=torch.bfloat16)
    X, y = rows("real", 50, 4, torch.float32)
    assert "float32 and float64 on the CPU" in refused(half, data=(X.bfloat16(), y.bfloat16()))
    watched = nn.Linear(4, 1)
    watched.weight.register_hook(lambda gradient: gradient.clamp(-1, 1))
    assert "weight has one" in refused(watched)


def test_losses_that_it_cannot_compute():
    def cubic(z, y):
        return (z - y).abs().pow(3).mean()

    said = refused(nn.Linear(4, 1), cubic)
    assert "the loss cubic: its slopes" in said and "BCEWithLogits" in said
    assert "CrossEntropyLoss" in refused(nn.Linear(4, 3), nn.CrossEntropyLoss(label_smoothing=0.1), targets="classes")
    X, y = rows("classes", 50, 4, torch.float32)
    ignored = torch.where(y == 0, -100, y)
    assert "labels outside 0 .. 2" in refused(nn.Linear(4, 3), nn.CrossEntropyLoss(), data=(X, ignored))
    weighted = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0]))
    assert "its slopes" in refused(nn.Linear(4, 3), weighted, targets="classes")


def test_a_loss_that_is_a_multiple_is_taken_with_its_factor():
    X, y = rows("real", 50, 4, torch.float64)
    module = nn.Linear(4, 1, dtype=torch.float64)
    for loss in (lambda z, t: ((z - t) ** 2).mean() / 3, lambda z, t: 0.02 * ((z - t) ** 2).sum()):
        exact, compiled = both(module, (X, y), loss, Recipe(lr=0.1, batch_size=8, epochs=30))
        assert compiled.engine == "compiled"
        assert distance(exact, compiled) <= 1e-12
        assert math.isclose(exact.trace.batch_loss[5], compiled.trace.batch_loss[5], rel_tol=1e-12)


def test_recipes_that_it_cannot_follow():
    assert "Adamax is none of them" in refused(nn.Linear(4, 1), recipe=Recipe("adamax", epochs=50))
    assert "leave differentiable out" in refused(nn.Linear(4, 1), recipe=Recipe("adam", differentiable=True, epochs=50))
    plateau = Recipe(lr=0.1, epochs=50, schedule="ReduceLROnPlateau")
    assert "needs a measurement" in refused(nn.Linear(4, 1), recipe=plateau)
    cycle = Recipe(lr=0.1, momentum=0.9, epochs=50, schedule=("OneCycleLR", {"max_lr": 1.0, "total_steps": 60}))
    assert "cycle_momentum=False" in refused(nn.Linear(4, 1), recipe=cycle)
    assert "calls no callback" in refused(nn.Linear(4, 1), callback=lambda moment: None)


def test_data_that_it_cannot_know():
    class Noisy(torch.utils.data.Dataset):
        def __len__(self):
            return 50

        def __getitem__(self, i):
            return torch.randn(4), torch.zeros(1)

    assert "Noisy gives may differ" in refused(nn.Linear(4, 1), data=Noisy(), recipe=Recipe(lr=0.1, epochs=50))
    own = DataLoader(TensorDataset(*rows("real", 50, 4, torch.float32)), collate_fn=lambda pairs: pairs[0])
    assert "collate_fn" in refused(nn.Linear(4, 1), data=own)


# ------------------------------------------------------------------------------------------ when the exact one runs


def test_short_trainings_are_left_to_the_exact_engine(monkeypatch):
    monkeypatch.setattr(engine, "FEWEST", 100)
    monkeypatch.setattr(engine, "FEWEST_COLD", 1000)
    X, y = rows("real", 50, 4, torch.float32)
    result = train(nn.Linear(4, 1), (X, y), nn.MSELoss(), Recipe(lr=0.1, epochs=99), engine="compiled")
    assert result.engine == "exact, because there are only 99 steps"
    assert result.n_iter == 99 and "there are only 99 steps" in str(result)


def test_a_loss_that_changes_is_noticed_in_the_rehearsal():
    calls = itertools.count()

    def drifting(z, y):
        return ((z - y) ** 2).mean() * (1.0 if next(calls) < 4 else 2.0)

    X, y = rows("real", 50, 4, torch.float32)
    result = train(nn.Linear(4, 1), (X, y), drifting, Recipe(lr=0.1, epochs=50), engine="compiled", certify=False)
    assert result.engine.startswith("exact, because the first steps")


def test_large_steps_are_left_to_pytorch(monkeypatch):
    from sightline.recipes.compiled.rehearsal import Rehearsal

    monkeypatch.setattr(engine, "SLOWER", 1.0)
    monkeypatch.setattr(Rehearsal, "agrees", lambda self, plan, job: (True, 2 * self.seconds))
    X, y = rows("real", 50, 4, torch.float32)
    result = train(nn.Linear(4, 1), (X, y), nn.MSELoss(), Recipe(lr=0.1, epochs=50), engine="compiled")
    assert result.engine == "exact, because PyTorch is faster on steps of this size"
