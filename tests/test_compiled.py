"""The compiled engine has the exact engine's trajectories."""

import copy
import itertools

import pytest
import torch
from compiled_cases import (
    LOSSES,
    OPTIMIZERS,
    both,
    distance,
    hinge,
    module_for,
    own_cache,
    rounding,
    rows,
    whatever_the_length,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from sightline.recipes import Recipe, train
from sightline.recipes.compiled import order

# Of the weights' size. Where a training amplifies rounding (RMSprop, and Adam with a short memory, divide by what is
# left of the gradient at the optimum), the exact engine is as far from itself with its columns in another order.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}
DTYPES = (torch.float32, torch.float64)
BATCHES = {1: 2, 33: 50, None: 200}  # batch size: epochs, of 100 rows
cache = pytest.fixture(scope="module", autouse=True)(own_cache)
always = pytest.fixture(scope="module", autouse=True)(whatever_the_length)


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
