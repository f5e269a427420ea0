"""What a training is worth is found when it is asked for, and is what it was at the training's end."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

import sightline as sl
from sightline import Recipe, train
from sightline.recipes import ending, minimised
from sightline.recipes.checks import check_rows
from sightline.recipes.steps import _bare, plain_step
from sightline.recipes.training import prepare


def rows(n=60, seed=0):
    draw = torch.Generator().manual_seed(seed)
    X = torch.randn(n, 3, generator=draw, dtype=torch.float64)
    y = (X.sum(1, keepdim=True) + torch.randn(n, 1, generator=draw, dtype=torch.float64) > 0).double()
    return X, y


def training(X, y, loss=None, module=None, **options):
    torch.manual_seed(0)
    module = nn.Linear(3, 1, dtype=torch.float64) if module is None else module
    loss = nn.BCEWithLogitsLoss() if loss is None else loss
    return train(module, (X, y), loss, Recipe(lr=0.5, epochs=20, weight_decay=0.01), **options)


@pytest.fixture
def asked(monkeypatch):
    """Counts what was examined and solved."""
    found = {"examined": 0, "solved": 0}

    def counted(name, function):
        def call(*arguments, **options):
            found[name] += 1
            return function(*arguments, **options)

        return call

    monkeypatch.setattr(ending, "_examine", counted("examined", ending._examine))
    monkeypatch.setattr(minimised, "solve", counted("solved", minimised.solve))
    return found


def test_nothing_is_examined_before_it_is_asked_for(asked):
    result = training(*rows())
    assert result.n_iter == 20 and result.stopped == "" and asked == {"examined": 0, "solved": 0}
    assert result.weight.shape == (1, 3) and result.minimised is not None
    assert asked == {"examined": 1, "solved": 0}
    assert result.certificate is not None and "above the optimum" in result.sentence
    assert result.trace.gap[-1] == pytest.approx(result.certificate.gap, rel=1e-6)
    assert asked == {"examined": 1, "solved": 1}


def test_the_certificate_is_of_the_weights_at_the_end_whatever_becomes_of_module_and_loss():
    X, y = rows()
    positive = torch.tensor(2.0, dtype=torch.float64)
    want = training(X, y, nn.BCEWithLogitsLoss(pos_weight=positive.clone())).certificate
    loss, module = nn.BCEWithLogitsLoss(pos_weight=positive), nn.Linear(3, 1, dtype=torch.float64)
    result = training(X, y, loss, module)
    positive.fill_(5.0)
    with torch.no_grad():
        module.weight.zero_()
    module.float()
    torch.manual_seed(0)
    assert result.certificate.gap != pytest.approx(want.gap, rel=1e-3)  # another start
    again = training(X, y, nn.BCEWithLogitsLoss(pos_weight=torch.tensor(2.0, dtype=torch.float64)))
    assert again.certificate.gap == want.gap
    assert result.optimum.certificate.value == pytest.approx(again.optimum.certificate.value, rel=1e-12)


@pytest.mark.parametrize("which", ["X", "y"])
def test_rows_that_were_written_to_are_noticed(which):
    X, y = rows()
    result = training(X, y)
    (X if which == "X" else y).mul_(0.5)
    assert result.certificate is None and result.minimised is None
    assert "written to after the training" in result.sentence
    assert result.weight.shape == (1, 3)


def test_rows_that_were_written_to_between_two_questions_are_noticed():
    X, y = rows()
    result = training(X, y)
    assert result.minimised is not None
    X.add_(1.0)
    assert result.certificate is None and "written to after the training" in result.sentence


def test_what_is_not_pytorchs_own_is_examined_at_once(asked):
    factor = 1.0
    result = training(*rows(), lambda z, y: factor * nn.functional.binary_cross_entropy_with_logits(z, y))
    assert asked["examined"] == 1
    factor = 3.0
    assert result.minimised.factor == pytest.approx(1.0)

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.part = nn.Linear(3, 1, dtype=torch.float64)

        def forward(self, x):
            return self.part(x)

    training(*rows(), module=Own())
    assert asked["examined"] == 2


def test_copies_and_pickles_hold_the_certificate():
    result = training(*rows())
    for twin in (copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
        assert "_ending" not in vars(twin) and vars(twin)["certificate"].gap == result.certificate.gap
        assert twin.trace.value == result.trace.value
        assert twin.optimum.certificate.value == result.optimum.certificate.value


def test_the_problem_is_printed_in_words():
    X, y = rows()
    said = repr(training(X, y).minimised)
    assert said.startswith("Minimised(the mean logistic loss") and "tensor" not in said


def test_hooks_profilers_and_schedules_see_every_step():
    X, y = rows()
    module = nn.Linear(3, 1, dtype=torch.float64)

    def bare(recipe=None, **changes):
        job = prepare(module, (X, y), nn.BCEWithLogitsLoss(), recipe or Recipe(lr=0.1), "ends")
        for name, value in changes.items():
            setattr(job, name, value)
        return _bare(job)[1] != job.optimizer.step

    assert bare()
    assert not bare(Recipe(lr=0.1, schedule=("StepLR", {"step_size": 1})))
    assert not bare(callback=lambda moment: None)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]):
        assert not bare()
    seen = []
    handle = register_optimizer_step_post_hook(lambda *_: seen.append(1))
    try:
        assert not bare()
        training(X, y)
    finally:
        handle.remove()
    assert len(seen) == 20

    class Own(torch.optim.SGD):
        def zero_grad(self, set_to_none=True):
            seen.append("cleared")
            super().zero_grad(set_to_none)

    job = prepare(module, (X, y), nn.BCEWithLogitsLoss(), Recipe(Own, lr=0.1), "ends")
    plain_step(job)(X, y)
    assert seen[-1] == "cleared"


def test_finite_rows_whose_sum_overflows_are_no_infinities():
    X, y = rows()
    check_rows(torch.full((9, 3), 1e308, dtype=torch.float64), y)
    X[5, 2] = float("-inf")
    with pytest.raises(sl.DataError, match="X holds -inf: row 5, column 2"):
        check_rows(X, y)


def test_one_place_of_the_trace_is_judged_alone():
    result = training(*rows())
    judged = []
    judge = result.trace.judge.make()
    one = judge.judge
    judge.judge = lambda state: judged.append(1) or one(state)
    value, loss, norm, gap = result.trace.judged(7)
    assert len(judged) == 1
    trace = result.trace
    assert (value, loss, norm, gap) == (trace.value[7], trace.loss[7], trace.gradient_norm[7], trace.gap[7])
    assert len(judged) == len(trace)  # each once
