"""Many recipes at once: each result is the one of the training alone."""

import copy
import math
import os
import signal
import threading

import pytest
import torch
from compiled_cases import distance, rows
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from sightline.recipes import Recipe, train
from sightline.recipes.compiled import engine, library
from sightline.recipes.grid import grid, train_grid


@pytest.fixture(scope="module", autouse=True)
def compiled_always(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGHTLINE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(engine, "COMPILING", -math.inf)
        patch.setattr(engine, "FEWEST_COLD", 0)
        patch.setattr(engine, "SLOWER", math.inf)  # no clock decides
        library.forget()
        yield
    library.forget()


def line(dtype=torch.float64):
    return rows("real", 60, 3, dtype)


def alone(module, data, loss, recipe, **options):
    return train(copy.deepcopy(module), data, loss, recipe, certify=False, **options)


def test_a_grid_is_all_combinations_and_the_last_setting_changes_fastest():
    recipes = grid(Recipe("adam", epochs=7, amsgrad=True), lr=[0.1, 0.01], batch_size=(1, None))
    assert [(r.lr, r.batch_size) for r in recipes] == [(0.1, 1), (0.1, None), (0.01, 1), (0.01, None)]
    assert all(r.epochs == 7 and r.arguments == {"amsgrad": True} for r in recipes)
    assert grid(Recipe()) == [Recipe()]


def test_each_result_is_that_of_the_training_alone():
    module, data = nn.Linear(3, 1, dtype=torch.float64), line()
    before = copy.deepcopy(module.state_dict())
    recipes = grid(Recipe(epochs=12, shuffle=True), lr=[0.01, 0.1], seed=[1, 2], batch_size=[1, 7])
    results = train_grid(module, data, nn.MSELoss(), recipes, certify=False)
    assert [r.recipe for r in results] == recipes
    assert {r.engine for r in results} == {"compiled"}
    for recipe, result in zip(recipes, results):
        assert distance(alone(module, data, nn.MSELoss(), recipe), result) <= 1e-12
        same = alone(module, data, nn.MSELoss(), recipe, engine="compiled")
        assert all(torch.equal(p, q) for p, q in zip(same.module.parameters(), result.module.parameters()))
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    assert len({id(r.module) for r in results}) == len(results)


@settings(max_examples=10, deadline=None)
@given(
    optimizers=st.lists(st.sampled_from(["sgd", "adam", "adagrad", "vanilla"]), min_size=1, max_size=4),
    threads=st.integers(1, 5), seed=st.integers(0, 50), start=st.sampled_from(["zeros", "torch", "as given"]),
)  # fmt: skip
def test_number_of_threads_changes_nothing(optimizers, threads, seed, start):
    module, data = nn.Linear(3, 1, dtype=torch.float64), line()
    recipes = grid(Recipe(lr=0.05, epochs=20, batch_size=9, shuffle=True, seed=seed, start=start), optimizer=optimizers)
    one = train_grid(module, data, nn.MSELoss(), recipes, certify=False, threads=1)
    many = train_grid(module, data, nn.MSELoss(), recipes, certify=False, threads=threads)
    assert [distance(a, b) for a, b in zip(one, many)] == [0.0] * len(recipes)


def test_recipes_without_a_seed_take_their_turns():
    """They draw from the global random numbers as trainings one after the other do."""
    module, data = nn.Linear(3, 1, dtype=torch.float64), line()
    recipes = grid(Recipe(epochs=20, batch_size=9, shuffle=True), lr=[0.1, 0.01, 0.03])
    torch.manual_seed(4)
    results = train_grid(module, data, nn.MSELoss(), recipes, certify=False)
    torch.manual_seed(4)
    for recipe, result in zip(recipes, results):
        assert distance(alone(module, data, nn.MSELoss(), recipe), result) <= 1e-12


def test_a_data_loader_is_used_in_turns():
    X, y = line()
    module = nn.Linear(3, 1, dtype=torch.float64)

    def loader():
        generator = torch.Generator().manual_seed(2)
        return DataLoader(TensorDataset(X, y), batch_size=9, shuffle=True, generator=generator)

    recipes = grid(Recipe(epochs=20), lr=[0.1, 0.01])
    results = train_grid(module, loader(), nn.MSELoss(), recipes, certify=False)
    shared = loader()
    for recipe, result in zip(recipes, results):
        assert distance(alone(module, shared, nn.MSELoss(), recipe), result) <= 1e-12


def test_what_the_compiled_engine_cannot_follow_is_trained_exactly_and_says_so():
    module, data = nn.Linear(3, 1, dtype=torch.float64), line()
    recipes = [Recipe("sgd", lr=0.1, epochs=120), Recipe("adamax", lr=0.1, epochs=120), Recipe("lbfgs", epochs=3)]
    results = train_grid(module, data, nn.MSELoss(), recipes, certify=False)
    assert results[0].engine == "compiled"
    assert results[1].engine.startswith("exact, because engine='compiled' runs the optimizers SGD")
    for recipe, result in zip(recipes, results):
        assert distance(alone(module, data, nn.MSELoss(), recipe), result) <= 1e-12
    exact = train_grid(module, data, nn.MSELoss(), recipes, engine="exact", certify=False)
    assert {result.engine for result in exact} == {"exact"}


def test_each_result_is_certified():
    module, data = nn.Linear(3, 1, dtype=torch.float64), line()
    recipes = grid(Recipe(epochs=400), optimizer=["sgd", "vanilla"], lr=[0.1, 1e-4])
    results = train_grid(module, data, nn.MSELoss(), recipes)
    for recipe, result in zip(recipes, results):
        single = train(copy.deepcopy(module), data, nn.MSELoss(), recipe)
        assert result.certificate.verdict is single.certificate.verdict
        assert abs(result.certificate.gap - single.certificate.gap) <= 1e-9 * single.certificate.value
    assert [r.certificate.optimal for r in results] == [True, False, True, False]


def test_the_optimum_of_equal_problems_is_found_once(monkeypatch):
    from sightline.recipes import minimised

    found = []
    solve = minimised.solve
    monkeypatch.setattr(minimised, "solve", lambda objective, **options: found.append(1) or solve(objective, **options))
    recipes = grid(Recipe(epochs=20), lr=[0.1, 1e-4], weight_decay=[0.0, 0.1])
    results = train_grid(nn.Linear(3, 1, dtype=torch.float64), line(), nn.MSELoss(), recipes)
    assert not found  # nobody asked yet
    assert all(result.certificate is not None for result in reversed(results))
    assert len(found) == 2
    assert [r.certificate is None for r in results] == [False] * 4
    assert abs(results[0].optimum.certificate.value - results[1].optimum.certificate.value) > 1e-3


def test_a_diverging_recipe_does_not_hold_up_the_others():
    module, data = nn.Linear(3, 1), line(torch.float32)
    recipes = grid(Recipe(epochs=300), lr=[0.1, 100.0, 0.05])
    results = train_grid(module, data, nn.MSELoss(), recipes, warn=False)
    assert [bool(r.stopped) for r in results] == [False, True, False]
    assert results[1].stopped.startswith("diverged in step")


def test_time_limit_is_for_all_together():
    recipes = grid(Recipe(lr=1e-3, batch_size=1, epochs=10_000_000), seed=range(4))
    results = train_grid(nn.Linear(3, 1), line(torch.float32), nn.MSELoss(), recipes, time_limit=0.4, threads=1,
                         certify=False)  # fmt: skip
    assert results[0].stopped.startswith("time_limit=") and results[0].n_iter > 0
    assert results[-1].stopped == "no time was left for it" and results[-1].n_iter == 0
    assert results[-1].trace.step == [0]


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
@pytest.mark.parametrize("kind", ["exact", "compiled"])
def test_interrupt_ends_all_of_them(kind):
    threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT)).start()
    recipes = grid(Recipe(lr=1e-3, batch_size=1, epochs=10_000_000), lr=[1e-3, 1e-4])
    results = train_grid(nn.Linear(3, 1), line(torch.float32), nn.MSELoss(), recipes, engine=kind, certify=False)
    assert [r.stopped for r in results] == ["interrupted"] * 2
    assert results[0].n_iter > 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_bad_arguments():
    module, data = nn.Linear(3, 1), line(torch.float32)
    with pytest.raises(ValueError, match="at least one Recipe"):
        train_grid(module, data, nn.MSELoss(), [])
    with pytest.raises(ValueError, match="at least one Recipe"):
        train_grid(module, data, nn.MSELoss(), [{"lr": 0.1}])
    with pytest.raises(ValueError, match="threads=0"):
        train_grid(module, data, nn.MSELoss(), [Recipe()], threads=0)
    with pytest.raises(ValueError, match="choose one of"):
        train_grid(module, data, nn.MSELoss(), [Recipe()], engine="fast")
    # A mistake in the last is said before the first is trained, however long that would take.
    with pytest.raises(ValueError, match="recipe 1: batch_size=0"):
        train_grid(module, data, nn.MSELoss(), [Recipe(epochs=10**9), Recipe(batch_size=0)])
    with pytest.raises(ValueError, match="recipe 1: SGD takes no argument 'betas'"):
        train_grid(module, data, nn.MSELoss(), [Recipe(epochs=10**9), Recipe(betas=(0.9, 0.99))])
