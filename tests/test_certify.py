"""Certificates of weights that came from anywhere."""

import copy
import warnings
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

import sightline as sl
from sightline.certificate import Verdict

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 4))
z = X @ np.array([1.0, -1, 0.5, 0]) + rng.normal(size=120)
BINARY = (z > 0).astype(int)
THREE = np.digitize(z, [-0.7, 0.7])


def fitted(y, loss, dtype=torch.float64, **options):
    return sl.fit(torch.from_numpy(X).to(dtype), y, loss=loss, **options)


def module(result, *end, dtype=torch.float64):
    linear = result.to_module().to(dtype)
    return nn.Sequential(linear, *end) if end else linear


class Own(nn.Module):
    """A forward of its own, with everything that a probe must leave alone."""

    def __init__(self, result, end=None, squeeze=False):
        super().__init__()
        self.w = nn.Parameter(result.weight.clone())
        self.b = nn.Parameter(result.bias.clone())
        self.dropout = nn.Dropout(0.5)
        self.end, self.squeeze, self.calls = end, squeeze, 0

    def forward(self, x):
        self.calls += 1
        out = self.dropout(x) @ self.w.T + self.b
        if self.squeeze:
            out = out.squeeze(1)
        return out if self.end is None else self.end(out)


def stacked(result):
    """Two linear layers that together are the model."""
    first = nn.Linear(4, 6, dtype=torch.float64)
    second = nn.Linear(6, len(result.weight), dtype=torch.float64)
    with torch.no_grad():
        q = torch.linalg.qr(torch.randn(6, 4, dtype=torch.float64)).Q
        first.weight.copy_(q)
        second.weight.copy_(result.weight @ q.T)
        second.bias.copy_(result.bias - second.weight @ first.bias)
    return nn.Sequential(nn.Flatten(), OrderedModule(first), nn.Dropout(), second)


def OrderedModule(first):
    return nn.Sequential(OrderedDict([("hidden", first), ("same", nn.Identity())]))


def sources(r):
    w, b = r.weight, r.bias
    yield "linear", module(r)
    yield "sequential", module(r, nn.Identity(), nn.Dropout(0.3))
    yield "named", nn.Sequential(OrderedDict([("flat", nn.Flatten()), ("out", r.to_module())]))
    yield "stacked", stacked(r)
    yield "own", Own(r)
    yield "pair", (w, b)
    yield "pair of arrays", (w.numpy(), b.numpy())
    yield "matrix with bias", torch.cat([w, b[:, None]], 1)
    yield "state", module(r).state_dict()
    yield "result", r
    if len(w) == 1:
        yield "vector with bias", torch.cat([w[0], b])
        yield "list", [*w[0].tolist(), float(b)]
        yield "pair of a vector and a number", (w[0], float(b))
        yield "column", (w.T, b)
        yield "squeezed", Own(r, squeeze=True)
        yield "sigmoid", module(r, nn.Sigmoid())
        yield "log sigmoid", module(r, nn.LogSigmoid())
        yield "own sigmoid", Own(r, torch.sigmoid)
        yield "squeezed sigmoid", Own(r, torch.sigmoid, squeeze=True)
        yield "own log sigmoid", Own(r, nn.functional.logsigmoid)
        two = (torch.cat([torch.ones_like(w), w + 1]), torch.cat([b * 0 - 2, b - 2]))
        yield "two outputs", two
    else:
        yield "softmax", module(r, nn.Softmax(dim=1))
        yield "log softmax", module(r, nn.LogSoftmax(dim=1))
        yield "own softmax", Own(r, lambda v: torch.softmax(v, 1))
        yield "own log softmax", Own(r, lambda v: torch.log_softmax(v, 1))
        yield "transposed", (w.T, b)


@pytest.mark.parametrize("loss", ["logistic", "softmax"])
def test_every_source_of_the_optimum_is_optimal(loss):
    y = BINARY if loss == "logistic" else THREE
    result = fitted(y, loss)
    for name, source in sources(result):
        certificate = sl.certify(source, X, y, loss=loss)
        assert certificate.verdict is Verdict.OPTIMAL, (name, str(certificate))
        assert abs(certificate.value - result.certificate.value) < 1e-12, name
        assert certificate.gap < 1e-6 * certificate.value, name


def test_the_gap_is_the_distance_from_the_optimum():
    result = fitted(BINARY, "logistic", penalty="l2", strength=0.1)
    objective = sl.Objective(sl.make_data(X, BINARY, sl.Logistic()), sl.Logistic(), sl.L2(0.1))
    for away in (1e-8, 1e-3, 1.0, 100.0):
        moved = (result.weight + away, result.bias - away)
        certificate = sl.certify(moved, X, BINARY, loss="logistic", penalty="l2", strength=0.1)
        value = objective.value(sl.Weights(moved[0][0], moved[1][0]))
        true = value - result.certificate.value
        assert certificate.value == pytest.approx(value, rel=1e-14)
        assert true - 1e-15 <= certificate.gap <= true + 1e-6 * value
        assert certificate.verdict is (Verdict.OPTIMAL if away < 1e-4 else Verdict.INACCURATE)


@pytest.mark.parametrize("loss", ["squared", "huber", "quantile", "hinge", "squared_hinge", "poisson"])
def test_other_losses(loss):
    y = BINARY if "hinge" in loss else np.round(np.exp(0.3 * z)) if loss == "poisson" else z
    result = fitted(y, loss, penalty="l2", strength=0.1)
    assert result.certify(X, y).verdict is Verdict.OPTIMAL
    assert sl.certify(result, X, y, loss=loss, penalty="l2", strength=0.2).verdict is Verdict.INACCURATE
    if loss == "poisson":
        rate = Own(result, torch.exp)
        assert sl.certify(rate, X, y, loss=loss, penalty="l2", strength=0.1).optimal
    else:
        with pytest.raises(ValueError, match=r"not linear: .* by up to .* %"):
            sl.certify(Own(result, torch.exp), X, y, loss=loss, penalty="l2", strength=0.1)


def test_weighted_with_offset_and_classes():
    weight, offset = rng.uniform(0.5, 2, 120), rng.normal(size=120)
    labels = np.array(["b", "a"])[BINARY]
    options = {"sample_weight": weight, "class_weight": {"a": 2.0}, "offset": offset}
    result = fitted(labels, "logistic", **options)
    assert sl.certify((result.weight, result.bias), X, labels, loss="logistic", **options).optimal
    flipped = {**options, "offset": -offset, "classes": ["b", "a"]}
    assert sl.certify((-result.weight, -result.bias), X, labels, loss="logistic", **flipped).optimal
    assert not sl.certify((result.weight, result.bias), X, labels, loss="logistic").optimal


def test_scikit_learn_estimators():
    from sklearn.linear_model import LinearRegression, LogisticRegression

    names = np.array(["no", "yes"])[BINARY]
    model = LogisticRegression(C=1.0, tol=1e-10).fit(X, names)
    assert sl.certify(model, X, names, loss="logistic", C=1.0, tol=1e-5).optimal
    assert sl.certify(LogisticRegression(tol=1e-10).fit(X, THREE), X, THREE, loss="softmax", C=1.0, tol=1e-5).optimal
    assert sl.certify(LinearRegression().fit(X, z), X, z, loss="squared").optimal
    assert sl.certify(LinearRegression(fit_intercept=False).fit(X, z), X, z, loss="squared").optimal
    with pytest.raises(ValueError, match="fit it first"):
        sl.certify(LogisticRegression(), X, BINARY, loss="logistic")


def test_single_precision_and_half_finished_training():
    result = fitted(BINARY, "logistic", dtype=torch.float32, C=10.0)
    certificate = sl.certify(result.to_module(), X, BINARY, loss="logistic", C=10.0)
    assert certificate.optimal
    own = Own(result, torch.sigmoid).float()
    assert sl.certify(own, torch.from_numpy(X).float(), BINARY, loss="logistic", C=10.0).optimal
    fresh = nn.Linear(4, 1)
    certificate = sl.certify(fresh, X, BINARY, loss="logistic", C=10.0)
    assert certificate.verdict is Verdict.INACCURATE
    assert certificate.gap >= certificate.value - result.certificate.value - 1e-6
    assert "relative" in str(certificate)


@pytest.mark.parametrize("end", [torch.sigmoid, lambda z: z.sigmoid_()[:, 0], nn.functional.logsigmoid])
def test_a_last_sigmoid_is_undone_where_it_is_saturated(end):
    """Probabilities that are 0 or 1 to the last bit have lost the scores, so the scores are taken before them."""
    module = _Ended(nn.Linear(4, 1, dtype=torch.float64), end)
    with torch.no_grad():
        module.linear.weight.mul_(1000)
    inside = (module.linear.weight.detach(), module.linear.bias.detach())
    ours, theirs = (sl.certify(model, X, BINARY, loss="logistic").value for model in (module, inside))
    assert ours == pytest.approx(theirs, rel=1e-12)


def test_a_sigmoid_in_the_middle_is_not_passed_over():
    module = _Ended(nn.Sequential(nn.Linear(4, 3), nn.Sigmoid(), nn.Linear(3, 1)), torch.sigmoid)
    with pytest.raises(ValueError, match="is not linear"):
        sl.certify(module, X, BINARY, loss="logistic")


class _Ended(nn.Module):
    def __init__(self, linear, end):
        super().__init__()
        self.linear, self.end = linear, end

    def forward(self, x):
        return self.end(self.linear(x))


def test_probing_leaves_the_module_as_it_was():
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 1), nn.Dropout(0.9))
    model(torch.randn(32, 4))
    model.train()
    before, state = copy.deepcopy(model.state_dict()), [m.training for m in model.modules()]
    random = torch.get_rng_state()
    sl.certify(model, X, BINARY, loss="logistic")  # affine in evaluation mode
    own = Own(fitted(BINARY, "logistic"))
    sl.certify(own, X, BINARY, loss="logistic")
    assert own.calls == 0 and own.training and own.dropout.training
    assert all(p.grad is None and p.requires_grad for p in own.parameters())
    assert [m.training for m in model.modules()] == state and torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_intercept_is_the_models():
    result = sl.fit(X, BINARY, loss="logistic", fit_intercept=False)
    for source in (result.weight, result, nn.Linear(4, 1, bias=False, dtype=torch.float64)):
        if isinstance(source, nn.Linear):
            source.weight.data.copy_(result.weight)
        assert sl.certify(source, X, BINARY, loss="logistic").optimal
    assert not sl.certify(result.weight, X, BINARY, loss="logistic", fit_intercept=True).optimal
    with pytest.raises(ValueError, match="without intercept"):
        sl.certify((result.weight, [1.0]), X, BINARY, loss="logistic", fit_intercept=False)


def test_no_minimum():
    x = np.array([[0.0], [1], [2], [3]])
    certificate = sl.certify(torch.tensor([5.0, -7.5]), x, [0, 0, 1, 1], loss="logistic")
    assert certificate.verdict is Verdict.NO_MINIMUM
    assert certificate.gap == pytest.approx(certificate.value) and certificate.witness.rows == 4


def test_dependent_columns():
    doubled = np.hstack([X, X])
    result = sl.fit(doubled, BINARY, loss="logistic")
    assert result.certify(doubled, BINARY).verdict is Verdict.NOT_UNIQUE
    one = (torch.cat([2 * result.weight[:, :4], 0 * result.weight[:, :4]], 1), result.bias)
    certificate = sl.certify(one, doubled, BINARY, loss="logistic")
    assert certificate.verdict is Verdict.OPTIMAL and "Smaller weights" in certificate.witness.text


def test_mistakes_are_named():
    r = fitted(BINARY, "logistic")
    deep = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    bad = r.to_module()
    bad.weight.data[0, 2] = float("nan")

    class Tuple(Own):
        def forward(self, x):
            return super().forward(x), 1

    class Wrong(Own):
        def forward(self, x):
            return x.reshape(7, -1) @ self.w.T

    cases = [
        (nn.Linear(5, 1), "logistic", r"takes 5 columns .*\(1, 5\).*\(120, 4\)"),
        (nn.Linear(4, 3), "logistic", r"\(120, 3\) and y \(120,\).*\(120, 1\).*loss='softmax'"),
        (nn.Linear(4, 2), "softmax", r"\(120, 2\) and y .*one output for each of the 3 classes: use nn.Linear\(4, 3\)"),
        (bad, "logistic", r"weight\[0, 2\] of Linear is nan"),
        ((torch.tensor([[1.0, 2, float("inf"), 4]]), [0.0]), "logistic", r"weight\[0, 2\] is inf"),
        (nn.Identity(), "logistic", "no parameters"),
        (nn.LazyLinear(1), "logistic", "no size yet"),
        (deep, "logistic", "not linear"),
        (deep.state_dict(), "logistic", "Load it into its module"),
        (Tuple(r), "logistic", "returns tuple"),
        (Wrong(r), "logistic", "cannot be run on rows of X"),
        (torch.zeros(7), "logistic", r"\(7,\) but X has 4 columns.*\(outputs, 4\), or 5 with the bias last"),
        (torch.zeros(2, 2, 2), "logistic", r"\(2, 2, 2\)"),
        ((torch.zeros(1, 4), torch.zeros(3)), "logistic", r"\(1, 4\) and the bias \(3,\)"),
        ("weights.pt", "logistic", "not a tensor of numbers"),
        (r, "hinges", "Did you mean 'hinge'"),
    ]
    for model, loss, match in cases:
        y = THREE if loss == "softmax" else BINARY
        with pytest.raises(ValueError, match=match):
            sl.certify(model, X, y, loss=loss)
    with pytest.raises(ValueError, match="say which loss"):
        sl.certify(nn.Linear(4, 1), X, BINARY)
    with pytest.raises(sl.DataError, match="row 3"):
        sl.certify(r, np.where(np.arange(120)[:, None] == 3, np.nan, X), BINARY)


def test_a_certificate_never_says_better_than_it_is():
    """Random weights, random problems: value - gap is a lower bound on the optimum found independently."""
    import scipy.optimize

    for seed in range(8):
        g = np.random.default_rng(seed)
        A, w = g.normal(size=(40, 3)) * 10.0 ** g.integers(-2, 3, 3), g.normal(size=4)
        t = np.where(g.random(40) < 0.5, -1.0, 1.0)

        def f(v, A=A, t=t):
            return np.logaddexp(0, -t * (A @ v[:3] + v[3])).mean() + 0.05 * (v[:3] ** 2).sum()

        best = scipy.optimize.minimize(f, np.zeros(4), method="BFGS", options={"gtol": 1e-10})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            certificate = sl.certify((w[:3], w[3]), A, t, loss="logistic", penalty="l2", strength=0.1)
        assert certificate.value == pytest.approx(f(w), rel=1e-12)
        assert certificate.lower_bound <= best.fun + 1e-14
        assert certificate.lower_bound >= best.fun - 1e-5
