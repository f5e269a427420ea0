"""Firth's penalty: estimates and profile intervals against published ones, and what its certificate says."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import sightline as sl
from sightline.cli import main
from sightline.firth import Firth
from sightline.objective import Objective

DATA = Path(__file__).parent / "data" / "separation"


def read(name, target):
    table = pd.read_csv(DATA / name)
    return table.drop(columns=target), table[target]


def firth(X, y, **options):
    return sl.fit(X, y, loss="logistic", penalty=sl.Firth(), **options)


# Published by R's logistf for these data (Heinze & Schemper 2002), as its users' tests have them.
ENDOMETRIAL = {
    "(intercept)": (3.77455951, 1.0825371, 7.2092805), "NV": (2.92927330, 0.6097244, 7.85463171),
    "PI": (-0.03475175, -0.1244587, 0.04045547), "EH": (-2.60416387, -4.3651832, -1.23272106),
}  # fmt: skip
SEX2 = {
    "(intercept)": (0.12025405, -0.8185591, 1.07315122), "age": (-1.10598131, -1.9737884, -0.30742514),
    "oc": (-0.06881673, -0.9414363, 0.78920202), "vic": (2.26887464, 1.2730216, 3.43543273),
    "vicl": (-2.11140817, -3.2608611, -1.11773495), "vis": (-0.78831694, -1.6080879, 0.01518468),
    "dia": (3.09601166, 0.7745682, 8.03029352),
}  # fmt: skip


@pytest.mark.parametrize("name, target, want", [("endometrial", "HG", ENDOMETRIAL), ("sex2", "case", SEX2)])
def test_published_estimates_and_intervals(name, target, want):
    X, y = read(f"{name}.csv", target)
    result = firth(X, y)
    assert result.certificate.verdict is sl.Verdict.STATIONARY
    found = sl.profile_intervals(result, X, y)
    table = np.array(list(want.values()))
    assert list(found.names) == list(want)
    assert np.allclose(found.estimate, table[:, 0], atol=2e-8)
    assert np.allclose(np.append(result.bias, result.weight), table[:, 0], atol=2e-8)
    assert np.allclose(found.low, table[:, 1], atol=2e-6) and np.allclose(found.high, table[:, 2], atol=2e-6)


def test_penalised_log_likelihood_of_sex2():
    X, y = read("sex2.csv", "case")
    assert abs(-239 * firth(X, y).certificate.value + 132.5394) < 5e-5


def test_a_table_of_four_cells_adds_half_to_each():
    """Saturated, Jeffreys' prior adds 1/2 to each count (Firth 1993, section 4)."""
    x, y = np.repeat([0.0, 1, 0, 1], [5, 7, 3, 0]), np.repeat([0, 0, 1, 1], [5, 7, 3, 0])
    result = firth(x[:, None], y)
    first, second = np.log(3.5 / 5.5), np.log(0.5 / 7.5)
    assert abs(float(result.bias) - first) < 1e-12 and abs(float(result.weight) - (second - first)) < 1e-12


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_a_plain_minimiser_finds_nothing_lower(seed):
    """On random data, separated ones among them, against BFGS from the same and from other starts."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(8, 40)), int(rng.integers(1, 4))
    X = rng.normal(size=(n, p))
    y = X[:, 0] + rng.normal(size=n) * rng.choice([0, 0.5, 2]) > 0
    y[:2] = [False, True]
    weight = rng.integers(1, 3, n).astype(float)
    A, t = np.hstack([X, np.ones((n, 1))]), np.where(y, 1.0, -1.0)

    def value(b):
        z = A @ b
        q = 1 / (1 + np.exp(-np.abs(z)))
        log_det = np.linalg.slogdet(A.T @ (A * (weight * q * (1 - q))[:, None]))[1]
        return weight @ np.logaddexp(0, -t * z) - 0.5 * log_det

    result = firth(X, y, sample_weight=weight)
    mine = float(result.certificate.value) * weight.sum()
    assert abs(value(np.append(result.weight[0], result.bias)) - mine) < 1e-9 * max(1, abs(mine))
    for start in (np.zeros(p + 1), rng.normal(size=p + 1)):
        done = scipy.optimize.minimize(value, start, method="BFGS")
        assert mine <= done.fun + 1e-7
    assert result.certificate.verdict is sl.Verdict.STATIONARY
    # The bound of likelihood and prior apart is one.
    assert result.certificate.lower_bound * weight.sum() <= done.fun + 1e-9


def test_derivatives():
    X, y = read("sex2.csv", "case")
    problem = Firth(Objective(sl.make_data(X, y, sl.Logistic()), sl.Logistic()))
    at = np.random.default_rng(0).normal(size=problem.q)
    point, h = problem.at(at), 1e-5
    for j, e in enumerate(np.eye(problem.q)):
        assert abs((problem.value(at + h * e) - problem.value(at - h * e)) / 2 / h - point.gradient[j]) < 1e-6
        slope = (problem.at(at + h * e).gradient - problem.at(at - h * e).gradient) / 2 / h
        assert np.allclose(slope, point.hessian[j], atol=1e-6)


def test_units_do_not_matter():
    X, y = read("endometrial.csv", "HG")
    scale, shift = np.array([1e-6, 1e5, 2.0]), np.array([0.0, 1e7, -3.0])
    one, other = firth(X, y), firth(X * scale + shift, y)
    assert np.allclose(other.weight[0] * torch.tensor(scale), one.weight[0], rtol=1e-8)
    assert abs(one.certificate.value - other.certificate.value - np.log(scale).sum() / 79) < 1e-9


def test_weights_are_counts_and_offsets_shift():
    X, y = read("endometrial.csv", "HG")
    weight = 1 + np.arange(79) % 2
    copies = np.repeat(np.arange(79), weight)
    one, other = firth(X, y, sample_weight=weight), firth(X.iloc[copies], y.iloc[copies])
    assert torch.allclose(one.weight, other.weight, rtol=1e-10)
    a = sl.profile_intervals(one, X, y, sample_weight=weight)
    b = sl.profile_intervals(other, X.iloc[copies], y.iloc[copies])
    assert np.allclose(a.high, b.high, rtol=1e-7)
    moved = firth(X, y, offset=np.full(79, 0.5))
    assert abs(float(moved.bias) + 0.5 - float(firth(X, y).bias)) < 1e-10


def test_no_intercept_sparse_and_float32():
    import scipy.sparse

    X, y = read("endometrial.csv", "HG")
    bare = firth(X, y, fit_intercept=False)
    assert float(bare.bias) == 0 and bare.certificate.verdict is sl.Verdict.STATIONARY
    assert sl.profile_intervals(bare, X, y).names == ("NV", "PI", "EH")
    assert torch.allclose(firth(scipy.sparse.csr_array(X.to_numpy()), y).weight, firth(X, y).weight)
    single = firth(torch.tensor(X.to_numpy(), dtype=torch.float32), torch.tensor(y.to_numpy()))
    assert single.weight.dtype == torch.float32 and single.certificate.verdict is sl.Verdict.STATIONARY


def test_certificate_says_what_is_proven_and_no_more():
    X, y = read("endometrial.csv", "HG")
    result = firth(X, y)
    proof = result.certificate
    assert not proof.optimal and proof.ended and 0 < proof.gap < 0.1
    assert "not convex" in str(proof) and "strict local maximum" in str(proof) and "not proven" in str(proof)
    assert result.certify(X, y).verdict is sl.Verdict.STATIONARY
    off = sl.certify(torch.nn.Linear(3, 1, dtype=torch.float64), X, y, loss="logistic", penalty="firth")
    assert off.verdict is sl.Verdict.INACCURATE


def test_stopped_early():
    X, y = read("endometrial.csv", "HG")
    with pytest.warns(sl.ConvergenceWarning, match="INACCURATE"):
        assert firth(X, y, max_iter=1).n_iter == 1
    with pytest.warns(sl.ConvergenceWarning, match="INTERRUPTED"):
        firth(X, y, callback=lambda number, step: number == 2)


def test_saved_and_loaded(tmp_path):
    X, y = read("endometrial.csv", "HG")
    result = firth(X, y)
    result.save(tmp_path / "model.safetensors")
    again = sl.load(tmp_path / "model.safetensors")
    assert again.penalty == sl.Firth() and torch.equal(again.weight, result.weight)
    assert again.certificate == result.certificate


def test_bad_input():
    X, y = read("endometrial.csv", "HG")
    with pytest.raises(sl.DataError, match="column 'twice' is constant or a combination"):
        firth(X.assign(twice=2 * X["NV"]), y)
    with pytest.raises(sl.DataError, match="fewer rows"):
        firth(np.eye(4), [0, 1, 0, 1])
    with pytest.raises(ValueError, match="logistic loss with two classes"):
        sl.fit(X, y, loss="softmax", penalty=sl.Firth())
    with pytest.raises(ValueError, match="no strength"):
        sl.fit(X, y, loss="logistic", penalty="firth", strength=1.0)
    with pytest.raises(ValueError, match="a method of its own"):
        firth(X, y, solver="newton")
    with pytest.raises(ValueError, match="level=2"):
        sl.profile_intervals(firth(X, y), X, y, level=2)
    with pytest.raises(ValueError, match=r"penalty=sl\.Firth"):
        sl.profile_intervals(sl.fit(X, y, loss="logistic", penalty="l2", C=1), X, y)


def test_levels_are_nested_and_tests_agree_with_them():
    X, y = read("endometrial.csv", "HG")
    result = firth(X, y)
    wide, narrow = (sl.profile_intervals(result, X, y, level=q) for q in (0.99, 0.5))
    assert (wide.low < narrow.low).all() and (wide.high > narrow.high).all()
    outside = (wide.low > 0) | (wide.high < 0)
    assert ((wide.p_value < 0.01) == outside).all()
    assert "99 % from" in str(wide)


def test_command_line(tmp_path):
    def run(*arguments):
        file, out = str(DATA / "endometrial.csv"), str(tmp_path / "out")
        return CliRunner().invoke(main, ["fit", file, "--target", "HG", "--out", out, *arguments])

    said = run("--penalty", "firth")
    assert said.exit_code == 0 and "Firth's penalty" in said.output and "profile penalised likelihood" in said.output
    told = json.loads(run("--penalty", "firth", "--json").stdout)
    table = {c["name"]: c for c in told["coefficients"]}
    assert abs(table["NV"]["low"] - 0.6097244) < 1e-4 and abs(table["NV"]["high"] - 7.85463171) < 1e-3
    assert run("--penalty", "firth", "--C", "2").exit_code == 2
    assert run("--penalty", "firth", "--loss", "hinge").exit_code == 2


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rows, columns, small", [(14, 4, False), (60, 2, True), (300, 9, True)])
def test_profiles_with_the_optimums_curvature_are_the_exact_ones(seed, rows, columns, small, monkeypatch):
    """Where the prior weighs little; else every curvature is made anew."""
    from sightline import firth_profile

    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, columns))
    y = (X[:, 0] + rng.normal(size=rows) > 0).astype(int)
    result = firth(X, y)
    made = []
    third = Firth._third
    monkeypatch.setattr(Firth, "_third", lambda self, *given: (made.append(1), third(self, *given))[1])
    quick = sl.profile_intervals(result, X, y)
    few = len(made)
    monkeypatch.setattr(firth_profile, "SMALL", 0.0)
    exact = sl.profile_intervals(result, X, y)
    assert (few < (len(made) - few) / 10) == small
    for ours, theirs in [(quick.low, exact.low), (quick.high, exact.high), (quick.p_value, exact.p_value)]:
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)
