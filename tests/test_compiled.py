"""The compiled engine: the exact engine's trajectories, what it refuses, and where it gives way to the exact one."""

import copy
import itertools
import math
import os
import signal
import threading

import pytest
import torch
from compiled_cases import LOSSES, OPTIMIZERS, both, distance, hinge, module_for, rounding, rows
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from sightline.recipes import Recipe, train
from sightline.recipes.compiled import NotCompiled, engine, library, order

# Of the weights' size. Where a training amplifies rounding (RMSprop, and Adam with a short memory, divide by what is
# left of the gradient at the optimum), the exact engine is as far from itself with its columns in another order.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}
DTYPES = (torch.float32, torch.float64)
BATCHES = {1: 2, 33: 50, None: 200}  # batch size: epochs, of 100 rows


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    """Nothing is written into the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGHTLINE_CACHE", str(tmp_path_factory.mktemp("cache")))
        library.forget()
        yield
    library.forget()


@pytest.fixture(autouse=True)
def always(monkeypatch):
    """Compile however short the training is."""
    monkeypatch.setattr(engine, "COMPILING", -math.inf)
    monkeypatch.setattr(engine, "FEWEST", 0)
    monkeypatch.setattr(engine, "FEWEST_COLD", 0)


def cases():
    """Every optimizer with every loss; over them, each sees every dtype, batch size, with and without bias."""
    settings_of = list(itertools.product(DTYPES, BATCHES, (True, False)))
    for i, (optimizer, loss) in enumerate(itertools.product(OPTIMIZERS, LOSSES)):
        dtype, size, bias = settings_of[(5 * i + i // len(LOSSES)) % len(settings_of)]
        yield pytest.param(optimizer, loss, dtype, size, bias, id=f"{optimizer}-{loss}-{str(dtype)[6:]}-{size}-{bias}")


@pytest.mark.parametrize(("optimizer", "loss", "dtype", "size", "bias"), list(cases()))
def test_trajectory_is_the_exact_engines(optimizer, loss, dtype, size, bias):
    name, arguments = OPTIMIZERS[optimizer]
    case = LOSSES[loss]
    module, data, function = module_for(case, 4, dtype, bias), rows(case.targets, 100, 4, dtype), case.make(dtype)
    recipe = Recipe(name, batch_size=size, epochs=BATCHES[size] // 2, shuffle=size == 33, seed=1, **arguments)
    exact, compiled = both(module, data, function, recipe, warn=False)
    if compiled.engine != "compiled":
        assert "so sensitive to rounding" in compiled.engine
        assert rounding(module, data, function, recipe, exact) > TOLERANCE[dtype]
        return
    assert (compiled.stopped, compiled.n_iter) == (exact.stopped, exact.n_iter)
    off = distance(exact, compiled)
    if off > TOLERANCE[dtype]:
        assert off < 10 * rounding(module, data, function, recipe, exact)
    assert compiled.trace.epoch == exact.trace.epoch
    assert compiled.trace.learning_rate == exact.trace.learning_rate
    scale = max(abs(v) for v in exact.trace.batch_loss[1:])
    wrong = max(abs(a - b) for a, b in zip(compiled.trace.batch_loss[1:], exact.trace.batch_loss[1:]))
    assert wrong <= max(20 * TOLERANCE[dtype], 10 * off) * scale


def test_enough_of_the_cases_are_compiled_and_within_the_tolerance_itself():
    """The exceptions above stay exceptions: with plain SGD there are none."""
    for loss, dtype, size in itertools.product(("MSELoss", "CrossEntropyLoss", "hinge"), DTYPES, BATCHES):
        case = LOSSES[loss]
        recipe = Recipe(lr=0.05, batch_size=size, epochs=BATCHES[size] // 2)
        module, data = module_for(case, 4, dtype, True), rows(case.targets, 100, 4, dtype)
        exact, compiled = both(module, data, case.make(dtype), recipe)
        assert compiled.engine == "compiled"
        assert distance(exact, compiled) <= TOLERANCE[dtype]


def test_fahrenheit_is_the_same_bit_for_bit():
    """A chaotic training: one wrong bit grows by five digits within a few epochs."""
    x = torch.arange(-100.0, 100.0).reshape(-1, 1)
    recipe = Recipe(lr=0.1, batch_size=1, epochs=12)
    exact, compiled = both(nn.Linear(1, 1), (x, (x > 32).float()), nn.BCEWithLogitsLoss(), recipe)
    assert compiled.engine == "compiled"
    assert distance(exact, compiled) <= 1e-5


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 30), p=st.integers(1, 20), size=st.one_of(st.none(), st.integers(1, 40)),
    optimizer=st.sampled_from(["sgd", "sgd, nesterov", "adamw", "adagrad, started", "vanilla"]),
    loss=st.sampled_from(sorted(LOSSES)), shuffle=st.booleans(), bias=st.booleans(), seed=st.integers(0, 99),
)  # fmt: skip
def test_trajectory_of_any_small_training(n, p, size, optimizer, loss, shuffle, bias, seed):
    name, arguments = OPTIMIZERS[optimizer]
    case, dtype = LOSSES[loss], torch.float64
    module, data = module_for(case, p, dtype, bias, seed), rows(case.targets, n, p, dtype, seed)
    recipe = Recipe(name, batch_size=size, epochs=4, shuffle=shuffle, seed=seed, **arguments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "COMPILING", -math.inf)
        patch.setattr(engine, "FEWEST", 0)
        patch.setattr(engine, "FEWEST_COLD", 0)
        exact, compiled = both(module, data, case.make(dtype), recipe, warn=False)
    assert (compiled.stopped, compiled.n_iter) == (exact.stopped, exact.n_iter)
    if distance(exact, compiled) > 1e-9:
        assert distance(exact, compiled) < 100 * rounding(module, data, case.make(dtype), recipe, exact)


# ---------------------------------------------------------------------------------------------------------- modules


class Turned(nn.Module):
    """X @ W + b with W (p, K)."""

    def __init__(self):
        super().__init__()
        self.b = nn.Parameter(torch.zeros(3))
        self.W = nn.Parameter(torch.randn(4, 3))

    def forward(self, x):
        return x @ self.W + self.b


class Vector(nn.Module):
    """X w + b with w (p,) and a number b."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(4))
        self.b = nn.Parameter(torch.tensor(0.3))

    def forward(self, x):
        return x @ self.w + self.b


class Squeezed(nn.Linear):
    """nn.Linear with outputs (n,)."""

    def forward(self, x):
        return super().forward(x).squeeze(1)


@pytest.mark.parametrize("optimizer", ["sgd, momentum", "adam, amsgrad", "rmsprop, centered", "adagrad"])
@pytest.mark.parametrize(
    ("module", "targets", "loss"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(4, 1)), "real", nn.MSELoss()),
        (nn.Sequential(nn.Sequential(nn.Linear(4, 3)), nn.Identity()), "classes", nn.CrossEntropyLoss()),
        (Turned(), "classes", nn.CrossEntropyLoss()),
        (Vector(), "signs", hinge),
        (Squeezed(4, 1), "zero and one", nn.BCEWithLogitsLoss()),
    ],
    ids=["flatten", "nested", "turned", "vector", "squeezed"],
)
def test_modules_of_any_form(module, targets, loss, optimizer):
    name, arguments = OPTIMIZERS[optimizer]
    X, y = rows(targets, 60, 4, torch.float32)
    if isinstance(module, Vector | Squeezed):
        y = y[:, 0]
    exact, compiled = both(module, (X, y), loss, Recipe(name, batch_size=7, epochs=10, **arguments))
    assert compiled.engine == "compiled"
    assert distance(exact, compiled) <= 1e-5
    for have, want in zip(compiled.module.parameters(), exact.module.parameters()):
        assert torch.allclose(have, want, rtol=1e-4, atol=1e-6)
        assert have.shape == want.shape and have.requires_grad


def test_a_fixed_bias_stays_and_a_fixed_weight_too():
    X, y = rows("real", 50, 4, torch.float64)
    for fixed in ("weight", "bias"):
        module = nn.Linear(4, 1, dtype=torch.float64)
        getattr(module, fixed).requires_grad_(False)
        exact, compiled = both(module, (X, y), nn.MSELoss(), Recipe("adam", lr=0.1, batch_size=5, epochs=20))
        assert compiled.engine == "compiled"
        assert torch.equal(getattr(compiled.module, fixed), getattr(module, fixed))
        assert distance(exact, compiled) <= 1e-12


def test_buffers_are_in_the_trace():
    module = nn.Linear(4, 1)
    module.register_buffer("seen", torch.tensor(3))
    X, y = rows("real", 50, 4, torch.float32)
    exact, compiled = both(module, (X, y), nn.MSELoss(), Recipe(lr=0.1, epochs=20))
    assert compiled.engine == "compiled"
    assert [len(s) for s in compiled.trace.states] == [len(s) for s in exact.trace.states]


# ------------------------------------------------------------------------------------------------ order and schedule


def loader(shuffle=True, drop_last=False, seed=3):
    X, y = rows("real", 50, 4, torch.float64)
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return DataLoader(TensorDataset(X, y), batch_size=8, shuffle=shuffle, drop_last=drop_last, generator=generator)


@pytest.mark.parametrize("seed", [3, None])
@pytest.mark.parametrize("drop_last", [False, True])
def test_rows_come_in_the_order_of_the_data_loader(seed, drop_last):
    found = []
    for kind in ("exact", "compiled"):
        torch.manual_seed(11)
        module = nn.Linear(4, 1, dtype=torch.float64)
        data = loader(drop_last=drop_last, seed=seed)
        found.append(train(module, data, nn.MSELoss(), Recipe(lr=0.1, epochs=15), engine=kind, certify=False))
        found.append(torch.rand(3))
    exact, after_exact, compiled, after_compiled = found
    assert compiled.engine == "compiled"
    assert distance(exact, compiled) <= 1e-12
    assert torch.equal(after_exact, after_compiled)  # the same random numbers were used


def test_a_data_loader_that_draws_otherwise_is_asked_itself(monkeypatch):
    monkeypatch.setattr(order, "_loaders_draw_as_known", lambda: False)
    test_rows_come_in_the_order_of_the_data_loader(drop_last=True, seed=3)


def test_a_sampler_of_ones_own_is_followed():
    X, y = rows("real", 50, 4, torch.float64)
    weights = torch.arange(50.0)
    found = []
    for kind in ("exact", "compiled"):
        module = nn.Linear(4, 1, dtype=torch.float64)
        nn.init.ones_(module.weight), nn.init.zeros_(module.bias)
        generator = torch.Generator().manual_seed(5)
        sampler = torch.utils.data.WeightedRandomSampler(weights, 30, generator=generator)
        data = DataLoader(TensorDataset(X, y), batch_size=8, sampler=sampler)
        found.append(train(module, data, nn.MSELoss(), Recipe(lr=0.1, epochs=15), engine=kind, certify=False))
    assert found[1].engine == "compiled"
    assert distance(*found) <= 1e-12


def test_shuffled_rows_without_a_seed_use_the_global_random_numbers():
    X, y = rows("real", 40, 4, torch.float64)
    module = nn.Linear(4, 1, dtype=torch.float64)
    found = []
    for kind in ("exact", "compiled"):
        torch.manual_seed(5)
        recipe = Recipe(lr=0.1, batch_size=1, epochs=30, shuffle=True)
        found.append(train(copy.deepcopy(module), (X, y), nn.MSELoss(), recipe, engine=kind, certify=False))
    assert found[1].engine == "compiled"
    assert distance(*found) <= 1e-12


@pytest.mark.parametrize(
    ("schedule", "per"),
    [
        (("StepLR", {"step_size": 3, "gamma": 0.5}), "epoch"),
        (("CosineAnnealingLR", {"T_max": 40}), "step"),
        (("OneCycleLR", {"max_lr": 0.2, "total_steps": 200, "cycle_momentum": False}), "step"),
        (lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 1 / (1 + k)), "epoch"),
    ],
)
def test_schedules(schedule, per):
    X, y = rows("real", 40, 4, torch.float64)
    recipe = Recipe("sgd", lr=0.1, batch_size=9, epochs=30, schedule=schedule, schedule_per=per, decay="weights",
                    weight_decay=0.1, momentum=0.5)  # fmt: skip
    exact, compiled = both(nn.Linear(4, 1, dtype=torch.float64), (X, y), nn.MSELoss(), recipe)
    assert compiled.engine == "compiled"
    assert distance(exact, compiled) <= 1e-12
    assert compiled.trace.learning_rate == exact.trace.learning_rate
    assert len(set(compiled.trace.learning_rate)) > 5


def test_weight_decay_by_group():
    X, y = rows("real", 40, 4, torch.float64)
    recipe = Recipe("adamw", lr=0.1, batch_size=9, epochs=30, weight_decay={"weight": 0.3, "bias": 0.01})
    exact, compiled = both(nn.Linear(4, 1, dtype=torch.float64), (X, y), nn.MSELoss(), recipe)
    assert compiled.engine == "compiled"
    assert distance(exact, compiled) <= 1e-12


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

    monkeypatch.setattr(Rehearsal, "agrees", lambda self, plan, job: (True, 2 * self.seconds))
    X, y = rows("real", 50, 4, torch.float32)
    result = train(nn.Linear(4, 1), (X, y), nn.MSELoss(), Recipe(lr=0.1, epochs=50), engine="compiled")
    assert result.engine == "exact, because PyTorch is faster on steps of this size"
