"""Which convex problem a recipe was solving, and how its end is certified."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, SubsetRandomSampler, TensorDataset, WeightedRandomSampler

import sightline as sl
from sightline.recipes.recognised import recognise

N = 40
torch.manual_seed(0)
REAL = 3 + 2 * torch.randn(N)
BINARY = (torch.rand(N) > 0.4).float()
SIGNS = 2 * BINARY - 1
LABELS = torch.randint(0, 3, (N,))
TWO = BINARY.long()
COUNTS = torch.poisson(torch.full((N,), 2.0))
MANY = torch.randn(N, 3)
WEIGHTS = torch.tensor([1.0, 2.0, 5.0])
IDENTITY, COLUMN = "identity", (N, 1)

# name: (callable, targets, shape of the outputs, last step of the module, (loss, factor of the mean, sum?)).
KNOWN = {
    "MSE is not half": (nn.MSELoss(), REAL[:, None], COLUMN, IDENTITY, (sl.Squared(), 2.0, False)),
    "MSE on 0/1": (nn.MSELoss(), BINARY, (N,), IDENTITY, (sl.Squared(), 2.0, False)),
    "MSE of several targets": (nn.MSELoss(), MANY, (N, 3), IDENTITY, (sl.Squared(), 2 / 3, False)),
    "sum of squares": (nn.MSELoss(reduction="sum"), REAL, (N,), IDENTITY, (sl.Squared(), 2.0 * N, True)),
    "by hand": (lambda z, y: ((z - y) ** 2 / 8).mean(), REAL, (N,), IDENTITY, (sl.Squared(), 0.25, False)),
    "squeezing": (lambda z, y: F.mse_loss(z.squeeze(1), y), REAL, COLUMN, IDENTITY, (sl.Squared(), 2.0, False)),
    "BCE with logits": (nn.BCEWithLogitsLoss(), BINARY, (N,), IDENTITY, (sl.Logistic(), 1.0, False)),
    "BCE, functional": (F.binary_cross_entropy_with_logits, BINARY, (N,), IDENTITY, (sl.Logistic(), 1.0, False)),
    "BCE after sigmoid": (nn.BCELoss(), BINARY[:, None], COLUMN, "sigmoid", (sl.Logistic(), 1.0, False)),
    "soft margin": (nn.SoftMarginLoss(), SIGNS, (N,), IDENTITY, (sl.Logistic(), 1.0, False)),
    "soft labels": (
        nn.BCEWithLogitsLoss(), 0.1 + 0.8 * torch.rand(N), (N,), IDENTITY, (sl.Logistic(soft=True), 1.0, False)
    ),
    "cross-entropy": (nn.CrossEntropyLoss(), LABELS, (N, 3), IDENTITY, (sl.Softmax(), 1.0, False)),
    "NLL after log softmax": (nn.NLLLoss(), LABELS, (N, 3), "log softmax", (sl.Softmax(), 1.0, False)),
    "one-hot": (nn.CrossEntropyLoss(), F.one_hot(LABELS, 3).float(), (N, 3), IDENTITY, (sl.Softmax(), 1.0, False)),
    "hinge by hand": (lambda z, y: F.relu(1 - y * z).mean(), SIGNS, (N,), IDENTITY, (sl.Hinge(), 1.0, False)),
    "squared hinge": (lambda z, y: F.relu(1 - y * z).pow(2).sum(), SIGNS, (N,), IDENTITY, (sl.SquaredHinge(), N, True)),
    "multi-margin of two": (nn.MultiMarginLoss(), TWO, (N, 2), IDENTITY, (sl.Hinge(), 0.5, False)),
    "Huber": (nn.HuberLoss(delta=0.3), REAL, (N,), IDENTITY, (sl.Huber(delta=0.3), 1.0, False)),
    "Huber, far": (nn.HuberLoss(delta=50.0), REAL, (N,), IDENTITY, (sl.Huber(delta=50.0), 1.0, False)),
    "smooth L1": (nn.SmoothL1Loss(beta=0.5), REAL, (N,), IDENTITY, (sl.Huber(delta=0.5), 2.0, False)),
    "L1": (nn.L1Loss(), REAL, (N,), IDENTITY, (sl.Quantile(), 2.0, False)),
    "pinball": (
        lambda z, y: torch.maximum(0.9 * (y - z), 0.1 * (z - y)).mean(), REAL, (N,), IDENTITY,
        (sl.Quantile(quantile=0.9), 1.0, False),
    ),
    "Poisson": (nn.PoissonNLLLoss(), COUNTS, (N,), IDENTITY, (sl.Poisson(), 1.0, False)),
    "Poisson of rates": (nn.PoissonNLLLoss(log_input=False), COUNTS, (N,), "exponential", (sl.Poisson(), 1.0, False)),
}  # fmt: skip

# Close to a loss of ours, and none of them.
STRANGE = {
    "hinge embedding": (nn.HingeEmbeddingLoss(), SIGNS, (N,), IDENTITY),
    "margin of two": (nn.MultiMarginLoss(margin=2.0), TWO, (N, 2), IDENTITY),
    "margin of three classes": (nn.MultiMarginLoss(), LABELS, (N, 3), IDENTITY),
    "smoothed labels": (nn.CrossEntropyLoss(label_smoothing=0.1), LABELS, (N, 3), IDENTITY),
    "softmax twice": (nn.CrossEntropyLoss(), LABELS, (N, 3), "softmax"),
    "BCE of scores": (nn.BCELoss(), BINARY, (N,), IDENTITY),
    "root mean square": (lambda z, y: F.mse_loss(z, y).sqrt(), REAL, (N,), IDENTITY),
    "log cosh": (lambda z, y: torch.log(torch.cosh(z - y)).mean(), REAL, (N,), IDENTITY),
    "largest error": (lambda z, y: (z - y).abs().max(), REAL, (N,), IDENTITY),
    "penalty on scores": (lambda z, y: F.mse_loss(z, y) + 0.1 * z.square().mean(), REAL, (N,), IDENTITY),
    "focal": (lambda z, y: (torch.sigmoid(-y * z) ** 2 * F.softplus(-y * z)).mean(), SIGNS, (N,), IDENTITY),
    "without the maximum": (lambda z, y: (1 - y * z).mean(), SIGNS, (N,), IDENTITY),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("name", KNOWN)
def test_a_loss_is_recognised_by_what_it_computes(name, dtype):
    function, y, shape, link, (loss, factor, total) = KNOWN[name]
    before = torch.get_rng_state()
    found = recognise(function, y, shape, link, dtype)
    assert torch.equal(torch.get_rng_state(), before)
    assert found is not None
    assert found.loss == loss
    assert found.factor == pytest.approx(factor, rel=1e-6)
    assert found.total == total
    assert found.row_weights is None


@pytest.mark.parametrize("name", STRANGE)
def test_a_loss_that_is_none_of_ours_is_not_taken_for_one(name):
    assert recognise(*STRANGE[name], torch.float64) is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_weights_of_classes_become_weights_of_rows(dtype):
    found = recognise(nn.CrossEntropyLoss(weight=WEIGHTS), LABELS, (N, 3), IDENTITY, dtype)
    assert found.factor == pytest.approx(1.0, rel=1e-6)
    of_rows = WEIGHTS[LABELS].double()
    assert torch.allclose(found.shares, of_rows / of_rows.sum(), rtol=1e-5)
    assert torch.allclose(found.row_weights, of_rows / of_rows.mean(), rtol=1e-5)
    found = recognise(nn.BCEWithLogitsLoss(pos_weight=torch.tensor([3.0])), BINARY, (N,), IDENTITY, dtype)
    of_rows = torch.where(BINARY > 0, 3.0, 1.0).double()
    assert torch.allclose(found.shares, of_rows / N, rtol=1e-5)


# -------------------------------------------------------------------------------------------------------- decay


def rows(n=80, p=3, dtype=torch.float64):
    torch.manual_seed(3)
    X = torch.randn(n, p, dtype=dtype)
    return X, (X[:, :1] + X[:, 1:2] + torch.randn(n, 1, dtype=dtype) > 0.3).to(dtype)


def linear(p=3, k=1, dtype=torch.float64):
    torch.manual_seed(4)
    return nn.Linear(p, k, dtype=dtype)


@pytest.mark.parametrize(
    "loss, factor", [(nn.BCEWithLogitsLoss(), 1), (nn.MSELoss(), 2), (nn.MSELoss(reduction="sum"), 160)]
)
@pytest.mark.parametrize("decay", ["all", "weights", {"weight": 0.3, "bias": 0.02}], ids=["all", "weights", "groups"])
def test_gradient_descent_ends_at_the_optimum_of_the_problem_it_is_said_to_solve(decay, loss, factor):
    """Long full-batch descent is the judge of what weight decay minimises."""
    X, y = rows()
    module = linear()
    how = {"weight_decay": decay} if isinstance(decay, dict) else {"weight_decay": 0.3, "decay": decay}
    lr = {1: 1.5, 2: 0.3, 160: 0.004}[factor]
    training = sl.train(module, (X, y), loss, sl.Recipe("sgd", lr=lr, epochs=1200, **how), record="ends")
    assert training.certificate.verdict is sl.Verdict.OPTIMAL
    assert training.certificate.relative_gap < 1e-9
    assert torch.allclose(training.weight, training.optimum.weight, atol=1e-6)
    assert torch.allclose(training.bias, training.optimum.bias, atol=1e-6)
    assert training.minimised.bias_included == (decay != "weights")
    assert "It ended at the optimum" in training.sentence
    # The value is the one that the loss and the penalty have by hand, up to the factor.
    strengths = (0.3, {"all": 0.3, "weights": 0.0}[decay]) if isinstance(decay, str) else (0.3, 0.02)
    by_hand = loss(module(X), y).item() + 0.5 * strengths[0] * float(module.weight.detach().square().sum())
    by_hand += 0.5 * strengths[1] * float(module.bias.detach().square().sum())
    assert training.minimised.in_own_units(training.certificate.value) == pytest.approx(by_hand, rel=1e-12)


def test_summed_losses_in_batches_have_the_decay_of_a_batch():
    X, y = rows()
    recipe = sl.Recipe("sgd", lr=1e-3, weight_decay=0.4, batch_size=20, epochs=1)
    training = sl.train(linear(), (X, y), nn.BCEWithLogitsLoss(reduction="sum"), recipe)
    assert training.objective.penalty.l2 == pytest.approx(0.4 * 4 / 80)


@pytest.mark.parametrize("name", ["adam", "rmsprop", "adagrad", "nadam"])
def test_coupled_decay_of_adaptive_optimizers_is_an_l2_penalty(name):
    X, y = rows()
    lr, epochs = (0.2, 800) if name == "adagrad" else (0.03, 800)
    schedule = ("CosineAnnealingLR", {"T_max": epochs})
    recipe = sl.Recipe(name, lr=lr, weight_decay=0.1, epochs=epochs, schedule=schedule)
    training = sl.train(linear(), (X, y), nn.BCEWithLogitsLoss(), recipe, record="ends")
    assert training.objective.penalty.l2 == pytest.approx(0.1)
    assert training.certificate.relative_gap < 1e-6
    assert "rescales each step" in training.sentence


def test_decoupled_decay_minimises_no_sum_of_loss_and_penalty():
    X, y = rows()
    recipe = sl.Recipe("adamw", lr=0.02, weight_decay=0.5, epochs=300)
    training = sl.train(linear(), (X, y), nn.BCEWithLogitsLoss(), recipe)
    assert training.objective.penalty.none
    assert not training.minimised.bias_included
    assert "decoupled weight decay 0.5 adds no penalty" in training.sentence
    assert training.certificate.verdict is sl.Verdict.INACCURATE


def test_maximising_is_said_to_minimise_nothing():
    X, y = rows()
    training = sl.train(linear(), (X, y), nn.BCEWithLogitsLoss(), sl.Recipe("sgd", lr=0.02, maximize=True, epochs=3))
    assert training.certificate is None
    assert "uphill" in training.sentence


# ------------------------------------------------------------------------------------------------- founding cases


def test_two_points_with_weight_decay():
    """Weights and bias decayed: w = (.5942, -.0126), b = -.6195.  Only the weights: the bisector, w along (.8, .4)."""
    X, y = torch.tensor([[3.0, 2.0], [1.0, 1.0]]), torch.tensor([[1.0], [0.0]])
    recipe = sl.Recipe(lr=0.1, weight_decay=0.2, batch_size=1, epochs=10)
    whole = sl.train(nn.Linear(2, 1), (X, y), nn.BCEWithLogitsLoss(), recipe)
    best = whole.optimum_weights
    assert [*best.coef.tolist(), float(best.intercept)] == pytest.approx([0.5942, -0.0126, -0.6195], abs=2e-4)
    only = sl.train(
        nn.Linear(2, 1), (X, y), nn.BCEWithLogitsLoss(), sl.Recipe(lr=0.1, weight_decay=0.2, decay="weights", epochs=10)
    )
    w, b = only.optimum_weights.coef, only.optimum_weights.intercept
    assert float(w[1] / w[0]) == pytest.approx(0.5, abs=1e-6)
    assert float(b / w[0]) == pytest.approx(-2.75, abs=1e-6)


def test_two_points_without_have_no_minimum():
    X, y = torch.tensor([[3.0, 2.0], [1.0, 1.0]]), torch.tensor([[1.0], [0.0]])
    training = sl.train(nn.Linear(2, 1), (X, y), nn.BCEWithLogitsLoss(), sl.Recipe(lr=0.1, batch_size=1, epochs=100))
    assert training.certificate.verdict is sl.Verdict.NO_MINIMUM
    assert training.certificate.witness is not None
    assert "grow for ever" in training.sentence


def test_the_line_by_batch_size():
    """From (-15, -10), lr .01, 10 epochs in order: (.9932, -1.0174), (1.0206, -1.8651), (.6724, -3.8317)."""
    torch.manual_seed(1)
    x = torch.arange(-3, 3, 0.1).view(-1, 1)
    y = x - 1 + 0.1 * torch.randn(x.size())
    start = {"weight": torch.tensor([[-15.0]]), "bias": torch.tensor([-10.0])}
    ends = {1: (0.9932, -1.0174), 5: (1.0206, -1.8651), 10: (0.6724, -3.8317)}
    for batch_size, end in ends.items():
        recipe = sl.Recipe("sgd", lr=0.01, batch_size=batch_size, epochs=10, start=start)
        training = sl.train(nn.Linear(1, 1), (x, y), nn.MSELoss(), recipe)
        weights = training.weights
        assert [float(weights.coef), float(weights.intercept)] == pytest.approx(end, abs=1e-4)
        best = training.optimum_weights
        assert [float(best.coef), float(best.intercept)] == pytest.approx([1.0064, -1.0222], abs=1e-4)


# --------------------------------------------------------------------------------------------------- modules


class Own(nn.Module):
    def __init__(self, sign=1.0):
        super().__init__()
        self.w = nn.Parameter(torch.ones(3, dtype=torch.float64))
        self.b = nn.Parameter(torch.zeros((), dtype=torch.float64))
        self.sign = sign

    def forward(self, x):
        return x @ self.w + self.sign * self.b


class Flat(nn.Module):
    """One input a row, given as (n,)."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(1, dtype=torch.float64))
        self.b = nn.Parameter(torch.ones(1, dtype=torch.float64))

    def forward(self, x):
        return self.w * x + self.b


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("kind", ["own", "minus", "sigmoid", "sequential", "images", "line", "two", "no bias"])
def test_linear_modules_of_any_make_are_certified(kind, decay):
    X, y = rows()
    loss = nn.BCEWithLogitsLoss()
    module, data = {
        "own": (Own(), (X, y[:, 0])), "minus": (Own(-1.0), (X, y[:, 0])),
        "sigmoid": (nn.Sequential(linear(), nn.Sigmoid()), (X, y)),
        "sequential": (nn.Sequential(linear(), nn.Flatten(0)), (X, y[:, 0])),
        "images": (nn.Sequential(nn.Flatten(), linear()), (X[:, None, :], y)),
        "line": (Flat(), (X[:, 0].clone(), y[:, 0])),
        "two": (linear(k=2), (X, y[:, 0].long())),
        "no bias": (nn.Linear(3, 1, bias=False, dtype=torch.float64), (X, y)),
    }[kind]  # fmt: skip
    loss = {"sigmoid": nn.BCELoss(), "two": nn.CrossEntropyLoss()}.get(kind, loss)
    training = sl.train(module, data, loss, sl.Recipe("sgd", lr=3.0, weight_decay=decay, epochs=600), record="ends")
    assert training.certificate.verdict is sl.Verdict.OPTIMAL, training.sentence
    assert training.objective.penalty.l2 == decay
    assert training.objective.intercept == (kind != "no bias")
    assert training.minimised.bias_included == (decay > 0 and kind != "no bias")
    assert training.trace.gap[0] > 1e-3


def test_decay_on_a_product_of_layers_is_no_l2_penalty():
    X, y = rows()
    module = nn.Sequential(linear(3, 2), linear(2, 1))
    plain = sl.train(module, (X, y), nn.BCEWithLogitsLoss(), sl.Recipe("sgd", lr=0.5, epochs=2000), record="ends")
    assert plain.certificate.relative_gap < 1e-5
    decayed = sl.train(module, (X, y), nn.BCEWithLogitsLoss(), sl.Recipe("sgd", lr=0.5, weight_decay=0.1, epochs=5))
    assert decayed.certificate is None
    assert "not the linear model's weights themselves" in decayed.sentence
    assert math.isfinite(decayed.trace.value[-1])


def test_a_module_that_is_linear_on_these_rows_only_is_not_taken_for_linear():
    """A ReLU behind a large bias passes every row."""
    X, y = rows()
    module = nn.Sequential(linear(), nn.ReLU())
    with torch.no_grad():
        module[0].bias.fill_(50.0)
    training = sl.train(module, (X, y), nn.MSELoss(), sl.Recipe(lr=1e-6, epochs=2))
    assert training.certificate is None
    assert "not linear" in training.sentence


def test_rows_that_a_sampler_draws_more_often_count_more():
    X, y = rows()
    weights = 1 + 3 * y[:, 0]
    sampler = WeightedRandomSampler(weights.tolist(), 80, generator=torch.Generator().manual_seed(0))
    loader = DataLoader(TensorDataset(X, y), batch_size=20, sampler=sampler)
    training = sl.train(linear(), loader, nn.BCEWithLogitsLoss(), sl.Recipe(lr=0.1, epochs=2))
    best = sl.fit(X, y, loss="logistic", sample_weight=weights)
    assert torch.allclose(training.optimum.weight, best.weight, atol=1e-8)
    assert training.minimised.factor == pytest.approx(1.0)
    assert "rows weighted" in training.sentence


@pytest.mark.parametrize("options", [{"drop_last": True}, {"sampler": SubsetRandomSampler(range(70))}])
def test_rows_that_no_epoch_visits_are_no_part_of_the_problem(options):
    X, y = rows()
    loader = DataLoader(TensorDataset(X, y), batch_size=35, **options)
    visited = len(X) - len(X) % 35 if "drop_last" in options else 70
    assert visited < len(X)
    training = sl.train(linear(), loader, nn.BCEWithLogitsLoss(), sl.Recipe(lr=0.1, epochs=2))
    best = sl.fit(X[:visited], y[:visited], loss="logistic")
    assert torch.allclose(training.optimum.weight, best.weight, atol=1e-7)
    assert training.rows == visited


def test_groups_of_unlike_decoupled_decay_have_no_common_bound():
    X, y = rows()
    recipe = sl.Recipe("adamw", lr=0.01, weight_decay={"weight": 0.1, "bias": 0.3}, epochs=2)
    training = sl.train(linear(), (X, y), nn.BCEWithLogitsLoss(), recipe)
    assert "at most 1/decay of their group" in training.sentence


SAID = {
    "softmax twice": (nn.Sequential(linear(k=2), nn.Softmax(1)), nn.CrossEntropyLoss(), "long", "last softmax out"),
    "scores into NLL": (linear(k=2), nn.NLLLoss(), "long", "end the module in nn.LogSoftmax"),
    "linear loss": (linear(), lambda z, y: (1 - (2 * y - 1) * z).mean(), "column", "falls without bound"),
    "own loss": (linear(), lambda z, y: (z - y).abs().max(), "column", "none of those"),
}


@pytest.mark.parametrize("name", SAID)
def test_why_there_is_no_certificate_is_said(name):
    X, y = rows()
    module, loss, kind, words = SAID[name]
    training = sl.train(module, (X, y if kind == "column" else y[:, 0].long()), loss, sl.Recipe(lr=0.01, epochs=3))
    assert training.certificate is None
    assert training.minimised is None
    assert words in training.sentence
    assert training.trace.gap == [math.inf] * 4
