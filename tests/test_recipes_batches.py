"""The problem of a training in fixed batches is the mean over its batches; that of a shuffled one is over the rows."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import sightline as sl

N, BATCH = 100, 33


def rows(kind):
    draw = torch.Generator().manual_seed(5)
    X = torch.randn(N, 2, generator=draw, dtype=torch.float64)
    noise = torch.randn(N, 3, generator=draw, dtype=torch.float64)
    X[-1] *= 4  # the row that is alone in the last batch pulls
    if kind == "classes":
        return X, (X @ torch.randn(2, 3, generator=draw, dtype=torch.float64) + 2 * noise).argmax(1)
    if kind == "counts":
        return X, torch.poisson((0.3 * X[:, 0]).exp(), generator=draw)
    if kind == "real":
        return X, X.sum(1) + noise[:, 0]
    return X, (X[:, 0] + 2 * noise[:, 0] > 0).double()


class Scores(nn.Sequential):
    """A linear module of one score a row, without the column."""

    def __init__(self):
        super().__init__(nn.Linear(2, 1, dtype=torch.float64), nn.Flatten(0))


def module_for(kind):
    torch.manual_seed(0)
    return nn.Linear(2, 3, dtype=torch.float64) if kind == "classes" else Scores()


WEIGHTS = torch.tensor([1.0, 5.0, 0.3], dtype=torch.float64)
LOSSES = {
    "logistic": (nn.BCEWithLogitsLoss(), "binary"),
    "positives weigh": (nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0, dtype=torch.float64)), "binary"),
    "classes weigh": (nn.CrossEntropyLoss(weight=WEIGHTS), "classes"),
    "squared": (nn.MSELoss(), "real"),
    "poisson": (nn.PoissonNLLLoss(full=True), "counts"),
}


def mean_over_batches(module, X, y, loss, size=BATCH):
    return torch.stack([loss(module(a), b) for a, b in zip(X.split(size), y.split(size))]).mean()


def gradient_at(result, X, y, loss, decay, size=BATCH):
    """Of the mean over the batches of what each step follows, at the certified optimum."""
    module = result.module
    linear = module if isinstance(module, nn.Linear) else module[0]
    with torch.no_grad():
        linear.weight.copy_(result.optimum.weight)
        linear.bias.copy_(result.optimum.bias)
    module.zero_grad()
    mean_over_batches(module, X, y, loss, size).backward()
    return torch.cat([(p.grad + decay * p.detach()).flatten() for p in (linear.weight, linear.bias)])


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("name", LOSSES)
def test_the_certified_optimum_is_where_the_steps_of_an_epoch_cancel(name, decay):
    loss, kind = LOSSES[name]
    X, y = rows(kind)
    recipe = sl.Recipe("sgd", lr=0.01, batch_size=BATCH, epochs=3, weight_decay=decay)
    result = sl.train(module_for(kind), (X, y), loss, recipe, tol=1e-10)
    said = "each of the 4 batches of an epoch counting alike, so that the one row of the last weighs 33 times any other"
    assert said in result.sentence
    by_hand = mean_over_batches(result.module, X, y, loss).item()
    assert result.trace.loss[-1] == pytest.approx(by_hand, rel=1e-9)
    assert float(gradient_at(result, X, y, loss, decay).norm()) < 1e-5
    # Over the rows it is another problem.
    assert float(gradient_at(result, X, y, loss, decay, size=N).norm()) > 1e-3


@pytest.mark.parametrize("how", ["shuffled", "sum", "whole batches"])
def test_rows_weigh_alike_where_no_row_is_always_in_the_short_batch(how):
    X, y = rows("binary")
    loss = nn.BCEWithLogitsLoss(reduction="sum" if how == "sum" else "mean")
    batch = 25 if how == "whole batches" else BATCH
    recipe = sl.Recipe("sgd", lr=0.001, batch_size=batch, epochs=2, shuffle=how == "shuffled", seed=1)
    result = sl.train(module_for("binary"), (X, y), loss, recipe, tol=1e-10)
    assert "counting alike" not in result.sentence
    assert float(gradient_at(result, X, y, nn.BCEWithLogitsLoss(), 0.0, size=N).norm()) < 1e-5


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("drop_last", [False, True])
def test_a_loader_is_as_a_pair(drop_last, shuffle):
    X, y = rows("binary")
    loader = DataLoader(TensorDataset(X, y), batch_size=BATCH, drop_last=drop_last, shuffle=shuffle)
    result = sl.train(module_for("binary"), loader, nn.BCEWithLogitsLoss(), sl.Recipe(lr=0.01, epochs=2), tol=1e-10)
    assert ("counting alike" in result.sentence) == (not drop_last and not shuffle)
    seen = (X[:99], y[:99]) if drop_last and not shuffle else (X, y)
    size = N if shuffle else BATCH
    assert float(gradient_at(result, *seen, nn.BCEWithLogitsLoss(), 0.0, size=size).norm()) < 1e-5


def test_steps_in_fixed_batches_come_to_rest_around_that_optimum():
    """Long descent with a falling rate is the judge."""
    X, y = rows("real")
    X, y = X[-34:], y[-34:].clone()
    y[-1] += 3
    recipe = sl.Recipe(
        "sgd", lr=0.02, batch_size=BATCH, epochs=1500, schedule=("ExponentialLR", {"gamma": 0.995})
    )  # fmt: skip
    result = sl.train(module_for("real"), (X, y), nn.MSELoss(), recipe, record="ends", engine="compiled")
    assert torch.allclose(result.weight, result.optimum.weight, atol=2e-3)
    plain = sl.train(module_for("real"), (X, y), nn.MSELoss(), sl.Recipe(lr=0.01, epochs=1)).optimum
    assert float((result.weight - plain.weight).abs().max()) > 0.05
