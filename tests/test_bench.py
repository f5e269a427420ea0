"""The benchmark's own parts at tiny scale: generators, objective, references, and one race of a solver that is here."""

import json

import numpy as np
import pytest
import scipy.sparse as sp

from bench import duality, peers, reference, report
from bench import problems as bench_problems
from bench.goals import GOALS
from bench.objective import LOSSES, Point, value
from bench.problems import PROBLEMS, Instance, load
from bench.race import ACCURACY, Outcome, Race, Rules

SMALL = {"tall": 1e-3, "multi": 4e-3}


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.getbasetemp() / "bench-cache"
    monkeypatch.setenv("BENCH_CACHE", str(folder))
    for module in (bench_problems, reference):
        monkeypatch.setattr(module, "CACHE", folder)
    monkeypatch.setattr("bench.race.Memo.path", folder / "settings.json")


def small(name: str, intercept: bool = False) -> Instance:
    return load(PROBLEMS[name].at_scale(SMALL.get(name, 0.01), intercept))


def test_every_problem_has_a_goal():
    assert set(GOALS) == set(PROBLEMS)


@pytest.mark.parametrize("name", PROBLEMS)
def test_data_are_the_same_every_time_and_fit_in_float32(name):
    first, problem = small(name), PROBLEMS[name].at_scale(SMALL.get(name, 0.01))
    X, y = problem.make(problem.n, problem.p, np.random.default_rng(problem.seed))
    dense = X.toarray() if sp.issparse(X) else X
    again = first.X.toarray() if first.sparse else first.X
    assert np.array_equal(dense, again)
    assert len(y) == first.n
    if name != "iris":
        assert np.array_equal(again.astype(np.float32), again)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("name", PROBLEMS)
def test_reference_is_certified_and_no_neighbour_is_better(name, intercept):
    instance = small(name, intercept)
    found = reference.solve(instance)
    assert -1e-13 <= found.relative_gap <= reference.ENOUGH
    rng = np.random.default_rng(0)
    for size in (1e-2, 1e-4):
        step = size * rng.standard_normal(found.point.coef.shape)
        assert value(instance, Point(found.point.coef + step, found.point.intercept)) >= found.lower


@pytest.mark.parametrize("loss", LOSSES)
def test_conjugate_touches_the_loss_where_its_derivative_says(loss):
    rng = np.random.default_rng(1)
    z = rng.standard_normal((50, 4)) if loss == "softmax" else 2 * rng.standard_normal(50)
    y = {"softmax": rng.integers(0, 4, 50), "logistic": rng.integers(0, 2, 50), "squared": rng.standard_normal(50)}.get(
        loss, rng.choice([-1.0, 1.0], 50)
    )
    theta = LOSSES[loss].gradient(z, y)
    along = (theta * z).sum(axis=1) if z.ndim == 2 else theta * z
    assert np.allclose(LOSSES[loss].value(z, y) + LOSSES[loss].conjugate(theta, y), along)


def test_iris_is_the_reference_case():
    found = reference.solve(small("iris"))
    assert found.point.coef == pytest.approx([-4.4138, -9.1107, 6.5387, 12.6858], abs=1e-4)


def test_scores_of_scikit_learns_shapes():
    instance = small("digits")
    coef = np.arange(instance.classes * instance.p, dtype=float).reshape(instance.classes, instance.p)
    point = Point.of(instance, coef, 0.0)
    assert np.array_equal(point.coef, coef.T)
    assert point.intercept.shape == (instance.classes,)


def test_a_bound_of_a_poor_point_is_below_the_optimum():
    instance = small("mid")
    poor = Point(np.full(instance.p, 0.1), np.asarray(0.0))
    assert duality.lower_bound(instance, poor) <= reference.solve(instance).value


def test_contenders_have_names_of_their_own_and_ladders():
    names = [c.name for package in peers.PACKAGES for c in peers.of_package(package)]
    assert len(names) == len(set(names))
    assert all(c.ladder for package in peers.PACKAGES for c in peers.of_package(package))


def test_race_finds_the_loosest_setting_and_writes_a_table(tmp_path):
    rules = Rules(scale=0.01, repeats=2, cap=30)
    race = Race(PROBLEMS["mid"].at_scale(rules.scale), rules)
    outcome = race.run(peers.named("sklearn lbfgs f64"))
    assert outcome.ok
    assert outcome.suboptimality <= ACCURACY
    assert any(a["gap"] > ACCURACY for a in outcome.attempts)
    race.final([outcome])
    assert outcome.final
    assert outcome.cpu > 0
    line = report.Line("mid", race.instance.data_bytes, [outcome, Outcome("mid", "glum", "glum", "not installed")])
    for path in report.write([line], rules, tmp_path):
        assert "lbfgs" in path.read_text()
    assert json.loads((tmp_path / "results.json").read_text())["problems"][0]["ratio_cpu"] != 0


def test_a_false_claim_is_flagged():
    ours = Outcome("mid", "sightline fit f64", "sightline", "inaccurate", suboptimality=1e-3)
    ours.says = {"verdict": "OPTIMAL", "relative_gap": 1e-7}
    assert "FALSE OPTIMAL" in report.Line("mid", 1, [ours]).alarms[0]
    ours.suboptimality = 5e-7
    assert "GAP BELOW TRUTH" in report.Line("mid", 1, [ours]).alarms[0]
    ours.suboptimality = 5e-8
    assert report.Line("mid", 1, [ours]).alarms == []
