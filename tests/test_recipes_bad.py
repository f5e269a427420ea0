"""What cannot be trained: each a clear error that names what is wrong and what to do."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import sightline as sl

X = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
Y = (X[:, :1] > 0).float()
FLAT = Y[:, 0]
BCE = nn.BCEWithLogitsLoss()
WITH_NAN = torch.where(torch.arange(20)[:, None] == 3, torch.nan, X)


def linear(inputs=4, outputs=1):
    return nn.Linear(inputs, outputs)


class PlainTensor(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.zeros(4, 1)

    def forward(self, x):
        return x @ self.w


class PlainList(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(4, 1)]

    def forward(self, x):
        return self.layers[0](x)


class NeedsClosure(torch.optim.SGD):
    def step(self, closure=None):
        closure()
        super().step()


class Transposed(nn.Linear):
    def __init__(self):
        super().__init__(4, 1)

    def forward(self, x):
        return super().forward(x).T


def over_others():
    return sl.Recipe(torch.optim.SGD(linear().parameters(), lr=0.1))


def with_nan():
    module = linear()
    with torch.no_grad():
        module.weight[0, 2] = torch.nan
    return module


# name: (module, data, loss, recipe, words of the message).
CASES = {
    "(N, 1) against (N)": (linear, (X, FLAT), nn.MSELoss(), {}, r"shape \(20, 1\) and y \(20,\).*reshape\(-1, 1\)"),
    "(N) against (N, 1)": (
        lambda: nn.Sequential(linear(), nn.Flatten(0)), (X, Y), nn.L1Loss(), {}, r"y \(20, 1\).*reshape\(-1\)"
    ),
    "own loss that broadcasts": (
        linear, (X, FLAT), lambda z, y: (z - y).abs().mean(), {"batch_size": 7}, "compare each output with every row's"
    ),
    "own hinge that broadcasts": (
        linear, (X, 2 * FLAT - 1), lambda z, y: torch.relu(1 - z * y).mean(), {}, r"compare each output with every"
    ),
    "BCE of other shapes": (linear, (X, FLAT), BCE, {}, r"\(20, 1\).*y of shape \(20,\).*reshape\(-1, 1\)"),
    "columns": (lambda: linear(5), (X, Y), BCE, {}, r"Linear cannot take a batch X of shape \(20, 4\)"),
    "dtype of X": (linear, (X.double(), Y), BCE, {}, r"X is torch\.float64.*give X\.to\(torch\.float32\)"),
    "dtype of y": (linear, (X, Y.long()), BCE, {}, r"y of shape \(20, 1\), torch\.int64.*Labels are"),
    "class numbers as floats": (lambda: linear(4, 2), (X, FLAT), nn.CrossEntropyLoss(), {}, r"y\.long\(\)"),
    "labels out of range": (lambda: linear(4, 2), (X, FLAT.long() + 1), nn.CrossEntropyLoss(), {}, "Target 2 is out"),
    "scores into BCELoss": (linear, (X, Y), nn.BCELoss(), {}, r"end the module in nn\.Sigmoid\(\)"),
    "outputs of other rows": (Transposed, (X, Y), BCE, {}, r"shape \(1, 20\) for a batch of 20 rows"),
    "fewer y": (linear, (X, Y[:7]), BCE, {}, r"X has shape \(20, 4\) and y \(7, 1\)"),
    "no rows": (linear, (X[:0], Y[:0]), BCE, {}, "no rows"),
    "text": (linear, ([["a"] * 4], [1]), BCE, {}, "not numbers"),
    "NaN in X": (linear, (WITH_NAN, Y), BCE, {}, r"X holds nan: row 3, column 0 \(4 such values\)"),
    "NaN in y": (linear, (X, WITH_NAN[:, :1]), BCE, {}, "y holds nan: row 3"),
    "data of one tensor": (linear, X, BCE, {}, r"data is a Tensor; give a pair \(X, y\)"),
    "a loss for each row": (
        linear, (X, Y), nn.BCEWithLogitsLoss(reduction="none"), {}, r"returns \(20, 1\) values.*mean"
    ),
    "a loss that is a number": (linear, (X, Y), lambda z, y: 1.0, {}, "returns float, not a tensor"),
    "a loss without gradient": (linear, (X, Y), lambda z, y: (z.detach() - y).square().mean(), {}, "does not depend"),
    "a class of losses": (linear, (X, Y), nn.MSELoss, {}, r"loss=MSELoss\(\)"),
    "name of the loss": (linear, (X, Y), "logistc", {}, "Did you mean 'logistic'"),
    "a plain tensor": (PlainTensor, (X, Y), BCE, {}, r"no parameters: its w is a plain tensor.*nn\.Parameter"),
    "a plain list": (PlainList, (X, Y), BCE, {}, r"no parameters: its layers is a plain list.*nn\.ModuleList"),
    "no parameters": (nn.Flatten, (X, Y), BCE, {}, "Flatten has no parameters"),
    "no module": (lambda: torch.sin, (X, Y), BCE, {}, r"give an nn\.Module"),
    "nothing to train": (lambda: linear().requires_grad_(False), (X, Y), BCE, {}, "requires_grad=False"),
    "weights that are NaN": (with_nan, (X, Y), BCE, {}, "weight of Linear holds NaN or infinity before the first step"),
    "lazy layers": (lambda: nn.LazyLinear(1), (X, Y), BCE, {}, "has no size yet"),
    "batch size 0": (linear, (X, Y), BCE, {"batch_size": 0}, "batch_size=0; it must be a whole number of rows"),
    "batch size 1.5": (linear, (X, Y), BCE, {"batch_size": 1.5}, r"batch_size=1\.5"),
    "no epochs": (linear, (X, Y), BCE, {"epochs": 0}, "epochs=0"),
    "unknown optimizer": (linear, (X, Y), BCE, {"optimizer": "sdg"}, "did you mean 'sgd'"),
    "optimizer far from any": (linear, (X, Y), BCE, {"optimizer": "xyzzy"}, "choose one of adadelta"),
    "unknown argument": (linear, (X, Y), BCE, {"momentun": 0.9}, "SGD takes no argument 'momentun'.*'momentum'"),
    "bad value": (linear, (X, Y), BCE, {"lr": -1.0}, r"SGD\(lr=-1\.0\) cannot be made: Invalid learning rate"),
    "no weight decay": (
        linear, (X, Y), BCE, {"optimizer": "lbfgs", "weight_decay": 0.1}, "LBFGS takes no argument 'weight_decay'"
    ),
    "decay of nothing": (linear, (X, Y), BCE, {"weight_decay": {"wieght": 0.1}}, "no parameter is called so: weight"),
    "decay": (linear, (X, Y), BCE, {"weight_decay": 0.1, "decay": "biases"}, "decay='biases'"),
    "closure": (linear, (X, Y), BCE, {"optimizer": NeedsClosure, "lr": 0.1}, "needs a closure.*closure=True"),
    "other parameters": (linear, (X, Y), BCE, over_others, r"SGD holds 2 of 2 tensors that are not parameters"),
    "schedule": (linear, (X, Y), BCE, {"schedule": "StpLR"}, "did you mean 'StepLR'"),
    "schedule's arguments": (linear, (X, Y), BCE, {"schedule": "StepLR"}, "'step_size'; give its arguments as sch"),
    "pace": (linear, (X, Y), BCE, {"schedule": "ConstantLR", "schedule_per": "batch"}, "schedule_per='batch'"),
    "start": (linear, (X, Y), BCE, {"start": "zero"}, "start='zero'; choose one of"),
    "start of another shape": (linear, (X, Y), BCE, {"start": nn.Linear(3, 1).state_dict()}, "does not fit Linear"),
    "batch size beside a loader": (
        linear, DataLoader(TensorDataset(X, Y)), BCE, {"batch_size": 3}, "a DataLoader brings its own batch size"
    ),
    "an empty loader": (
        linear, DataLoader(TensorDataset(X, Y), batch_size=50, drop_last=True), BCE, {}, "the DataLoader is empty"
    ),
    "batches of three": (linear, DataLoader(TensorDataset(X, Y, Y)), BCE, {}, "3 parts; it must be a pair"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_said(name):
    make, data, loss, settings, words = CASES[name]
    module = make()
    recipe = settings() if callable(settings) else sl.Recipe(**{"epochs": 3, "lr": None, **settings})
    kept = {} if name in ("no module", "lazy layers") else {k: v.clone() for k, v in module.state_dict().items()}
    with pytest.raises(ValueError, match=f"(?s){words}"):
        sl.train(module, data, loss, recipe)
    for key, value in kept.items():
        assert torch.allclose(module.state_dict()[key], value, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"engine": "fast"}, "engine='fast'; choose one of 'exact', 'compiled'"),
        ({"record": "some"}, "record='some'"),
        ({"record": 0}, "record=0"),
        ({"checkpoint": "a.st", "checkpoint_every": 0}, "checkpoint_every=0"),
        ({"checkpoint": "a.st", "engine": "compiled"}, "checkpoint= is kept by engine='exact' only"),
    ],
)
def test_options_of_train_are_checked(options, words):
    with pytest.raises(ValueError, match=words):
        sl.train(linear(), (X, Y), BCE, sl.Recipe(lr=0.1, epochs=1), **options)


def test_a_closure_can_be_asked_for():
    training = sl.train(linear(), (X, Y), BCE, sl.Recipe(NeedsClosure, lr=0.1, closure=True, epochs=3))
    assert training.n_iter == 3


def test_an_optimizer_that_was_made_over_the_modules_own_parameters_is_used():
    module = linear()
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    sl.train(module, (X, Y), BCE, sl.Recipe(optimizer, epochs=3))
    assert float(optimizer.state[module.weight]["step"]) == 3
    sl.train(module, (X, Y), BCE, sl.Recipe(lambda params: torch.optim.SGD(params, lr=0.1), epochs=3))
    with pytest.raises(ValueError, match="leave lr out of the recipe"):
        sl.train(module, (X, Y), BCE, sl.Recipe(optimizer, lr=0.1, epochs=3))


class Once(IterableDataset):
    """Rows that are used up by the first epoch."""

    def __init__(self):
        self.rows = iter([(X[i], Y[i]) for i in range(20)])

    def __iter__(self):
        return self.rows


def test_a_loader_that_ends_early_ends_the_training_with_what_there_is():
    module = linear()
    with pytest.warns(sl.ConvergenceWarning, match="0 batches where 4 were expected"):
        training = sl.train(module, DataLoader(Once(), batch_size=5), BCE, sl.Recipe(lr=0.1, epochs=3))
    assert training.n_iter == 4
    assert training.stopped == "the DataLoader ended early in epoch 2"
    assert "used up" in training.sentence
    assert training.certificate is None


def test_batches_of_one_row_may_have_other_shapes():
    """(1, 1) against (1,) compares one output with one target, as the loop by hand does."""
    one, other = linear(), linear()
    other.load_state_dict(one.state_dict())
    loss = lambda z, y: (z - y).square().mean()
    training = sl.train(one, (X, FLAT), loss, sl.Recipe(lr=0.1, batch_size=1, epochs=2))
    sl.train(other, (X, Y), loss, sl.Recipe(lr=0.1, batch_size=1, epochs=2))
    assert torch.equal(one.weight, other.weight)
    assert training.certificate is not None
    assert training.objective.loss == sl.Squared()


def test_a_loss_that_mixes_rows_on_purpose_is_no_error():
    ranking = lambda z, y: torch.relu(1 - (z[y[:, 0] > 0] - z[y[:, 0] == 0].T)).mean()
    training = sl.train(linear(), (X, Y), ranking, sl.Recipe(lr=0.1, epochs=3))
    assert training.certificate is None
    assert training.n_iter == 3


@pytest.mark.parametrize("rate", [float("nan"), float("inf")])
def test_a_learning_rate_that_is_no_number_is_refused(rate):
    with pytest.raises(ValueError, match="a learning rate is a finite number"):
        sl.train(linear(), (X, Y), BCE, sl.Recipe(lr=rate))


def test_a_recipe_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"recipe is a dict; give sl\.Recipe"):
        sl.train(linear(), (X, Y), BCE, {"lr": 0.1})


class Pair(nn.Linear):
    def forward(self, x):
        return super().forward(x), 1


def test_a_module_that_returns_a_pair_is_named():
    with pytest.raises(ValueError, match="cannot take what the module returns, a tuple"):
        sl.train(Pair(4, 1), (X, Y), BCE)


def test_one_step_is_one():
    training = sl.train(linear(), (X, Y), BCE, callback=lambda moment: True, certify=False)
    assert training.sentence.startswith("Stopped after 1 step (")
