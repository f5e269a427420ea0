"""Trainings under constraints: multipliers that reach the proxy's, the best feasible iterate, wrong input."""

import numpy as np
import pytest
import torch
from constraint_cases import noisy

import sightline as sl

X, Y = noisy(0, 100, 20)
ROWS = (torch.from_numpy(X), torch.from_numpy(Y).double()[:, None])


def linear():
    torch.manual_seed(0)
    return torch.nn.Linear(10, 1).double()


def test_augmented_multipliers_reach_the_proxys():
    """Case A's optimum, 1.0455740437, with multiplier 2.16191."""
    recipe = sl.Recipe("adam", lr=0.02, epochs=1500, subject_to=[sl.recall() >= 0.9], constraint_rate=0.1)
    training = sl.train(linear(), ROWS, "hinge", recipe)
    assert training.multipliers[-1][0] == pytest.approx(2.16, abs=0.1)
    assert training.losses[-1] == pytest.approx(1.0456, abs=0.02)


@pytest.mark.parametrize("method", ["lagrangian", "augmented"])
@pytest.mark.parametrize("batch", [None, 25])
def test_best_feasible_iterate_is_kept(method, batch):
    recipe = sl.Recipe(
        "adam", lr=0.02, epochs=150, batch_size=batch, shuffle=batch is not None, seed=1, constraint_method=method,
        subject_to=[sl.recall() >= 0.9, sl.accuracy() >= 0.3],
    )  # fmt: skip
    module = linear()
    training = sl.train(module, ROWS, "hinge", recipe)
    assert training.module is module and training.feasible
    z = module(ROWS[0])[:, 0].detach().numpy()
    assert (z[Y > 0] > 0).mean() == pytest.approx(training.rates[0]) and training.rates[0] >= 0.9
    assert np.maximum(0, 1 - Y * z).mean() == pytest.approx(training.loss)
    assert training.loss == min(v for v, kept in zip(training.losses, training.kept) if kept)
    assert len(training.losses) == 150
    # The proven optimum of the same constraint alone is a bound for it.
    assert training.loss >= 0.6733617862 - 1e-6


def test_deep_module_and_exact_beside_a_linear_one():
    torch.manual_seed(0)
    deep = torch.nn.Sequential(torch.nn.Linear(10, 6), torch.nn.Tanh(), torch.nn.Linear(6, 2)).double()
    recipe = sl.Recipe("adam", lr=0.05, epochs=80, subject_to=[sl.recall() >= 0.9])
    labels = torch.from_numpy((Y > 0).astype(int))
    assert sl.train(deep, (ROWS[0], labels), torch.nn.CrossEntropyLoss(), recipe).feasible
    training = sl.train(linear(), ROWS, "hinge", recipe.but(epochs=5))
    assert training.exact().certificate.value == pytest.approx(0.6733617862, abs=1e-6)


GROUP = X[:, 0] > 0
FAIR = [
    sl.recall(where=GROUP, name="a") >= 0.7,
    abs(sl.selection_rate(where=GROUP, name="a") - sl.selection_rate(where=~GROUP, name="b")) <= 0.1,
]


@pytest.mark.parametrize("method", ["lagrangian", "augmented"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_groups_and_differences_in_batches(method, shuffle):
    free = linear()
    sl.train(free, ROWS, "hinge", sl.Recipe("adam", lr=0.05, epochs=50))
    recipe = sl.Recipe(
        "adam", lr=0.05, epochs=50, batch_size=20, shuffle=shuffle, seed=3, constraint_method=method, subject_to=FAIR
    )
    module = linear()
    training = sl.train(module, ROWS, "hinge", recipe)
    h = (module(ROWS[0])[:, 0] > 0).numpy()
    apart = abs(h[GROUP].mean() - h[~GROUP].mean())
    before = (free(ROWS[0])[:, 0] > 0).numpy()
    assert abs(before[GROUP].mean() - before[~GROUP].mean()) > 0.1  # it is not kept by itself
    assert training.feasible and apart <= 0.1 + 1e-9
    assert training.rates == pytest.approx((h[GROUP & (Y > 0)].mean(), apart))
    assert training.exact(time_limit=2.0, warn=False).constraints.exact.bound <= training.loss + 1e-9


def test_a_batch_counts_its_own_rows():
    """The multipliers' part over all batches of an epoch adds up to that of all rows, whatever the order."""
    from sightline.recipes.batches import TensorBatches
    from sightline.recipes.constrained import _Lagrangian, _Rows

    rows = _Rows.of(TensorBatches(*ROWS, 20, True, 0))
    lagrangian = _Lagrangian(lambda out, y: out.mean(), tuple(FAIR), rows, "augmented", 1.0)
    module = linear()
    with torch.no_grad():
        parts = [lagrangian.excess(module(x), rows.at) for x, _ in rows.epoch()]
        whole = lagrangian.excess(module(ROWS[0]), slice(None))
    assert torch.allclose(torch.stack(parts).mean(0), whole)
    assert not torch.allclose(parts[0], whole)


@pytest.mark.parametrize("after", [3, 7, 10, 11])
def test_resumed_training_is_the_same_bit_for_bit(tmp_path, after):
    """Batches of 30: four steps an epoch; stopped within an epoch, or near its end."""
    recipe = sl.Recipe(
        "adam", lr=0.02, epochs=6, batch_size=30, shuffle=True, seed=2, subject_to=FAIR, constraint_method="lagrangian"
    )
    straight = linear()
    once = sl.train(straight, ROWS, "hinge", recipe)
    path = tmp_path / "training"
    first = sl.train(
        linear(), ROWS, "hinge", recipe, checkpoint=path, checkpoint_every=1, callback=lambda at: at.step == after
    )
    assert len(first.losses) == -(-after // 4)
    module = linear()
    again = sl.train(module, ROWS, "hinge", recipe, checkpoint=path)
    assert again.multipliers == once.multipliers and again.losses == once.losses and again.epoch == once.epoch
    assert torch.equal(module.weight, straight.weight)
    with pytest.raises(ValueError, match="other constraints"):
        sl.train(linear(), ROWS, "hinge", recipe.but(subject_to=FAIR[:1]), checkpoint=path)


WRONG = [
    ({"subject_to": []}, {}, "subject_to is empty"),
    ({"subject_to": [sl.recall(where=Y[:50] > 0) >= 0.9]}, {}, "a boolean for each row"),
    ({"constraint_method": "penalty"}, {}, "choose one of lagrangian, augmented"),
    ({"constraint_rate": 0.0}, {}, "constraint_rate=0.0"),
    ({}, {"engine": "compiled"}, "runs on engine='exact'"),
]


@pytest.mark.parametrize("settings, options, words", WRONG, ids=[w for _, _, w in WRONG])
def test_wrong(settings, options, words):
    recipe = sl.Recipe("sgd", lr=0.1, epochs=2, **{"subject_to": [sl.recall() >= 0.9], **settings})
    with pytest.raises(ValueError, match=words):
        sl.train(linear(), ROWS, "hinge", recipe, **options)


def test_three_outputs_are_refused():
    recipe = sl.Recipe("sgd", lr=0.1, epochs=2, subject_to=[sl.recall() >= 0.9])
    with pytest.raises(ValueError, match="one output or two"):
        sl.train(torch.nn.Linear(10, 3).double(), (ROWS[0], ROWS[1][:, 0]), lambda z, y: z.mean(), recipe)
