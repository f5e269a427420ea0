"""True rates on the training rows: the reference's optimum, an independent integer program, and proofs of none."""

import numpy as np
import pytest
from constraint_cases import integer_program, noisy, problem_of

import sightline as sl
from sightline.constraints.exact import search
from sightline.constraints.interior import solve
from sightline.constraints.proxy import optimum


def found(q, seconds=30.0):
    proxy = optimum(q.losses, q.budgets)
    starts = [solve(q.losses.free()).w] + ([] if proxy.solved is None else [proxy.solved.w])
    return search(q.losses, q.budgets, starts, seconds=seconds)


def test_reference_case():
    """Proven independently, by integer programming: the reference's case C."""
    X, y = noisy(0, 100, 20)
    result = sl.fit(X, y, loss="hinge", subject_to=[sl.recall() >= 0.9], delta=None)
    assert result.certificate.verdict is sl.Verdict.OPTIMAL
    assert result.certificate.value == pytest.approx(0.6733617862, abs=1e-6)
    assert result.certificate.gap <= 1e-6
    assert (result.predict(X)[y > 0] > 0).mean() >= 0.9


def test_honest_interval_where_it_is_not_closed():
    """The reference knows the optimum of 1000 rows to lie between .63937 and .69865."""
    X, y = noisy(0, 1000, 200)
    with pytest.warns(sl.ConvergenceWarning):
        result = sl.fit(X, y, loss="hinge", subject_to=[sl.recall() >= 0.9], delta=None, time_limit=1.0)
    exact = result.constraints.exact
    assert 0.6202191224 - 1e-9 <= exact.bound <= 0.69865
    assert 0.63937 <= exact.value <= 0.7476477572 + 1e-9  # E: the best threshold alone
    assert exact.rates[0] >= 0.9
    assert "lies between" in str(result.constraints)


def test_three_hundred_rows_are_closed():
    X, y = noisy(3, 300, 60)
    outcome = found(problem_of(X, y, [sl.recall() >= 0.9]), seconds=300.0)
    assert outcome.closed
    assert outcome.value == pytest.approx(0.6322071822, abs=1e-6)  # by HiGHS as well, as an integer program


A = np.arange(40) % 2 == 0
ASKED = [
    [sl.recall() >= 0.9],
    [sl.recall(of=-1) >= 0.95],
    [sl.false_positive_rate() <= 0.1],
    [sl.precision() >= 0.85],
    [sl.accuracy() >= 0.85],
    [sl.selection_rate() <= 0.3],
    [sl.selection_rate() >= 0.6, sl.specificity() >= 0.5],
    [sl.recall(where=A) >= 1.0],
    [abs(sl.selection_rate(where=A) - sl.selection_rate(where=~A)) <= 0.0],
    [sl.recall() >= 0.9, sl.precision() >= 0.7],
]


@pytest.mark.parametrize("constraints", ASKED, ids=lambda asked: " and ".join(map(str, asked)))
def test_agrees_with_an_integer_program(constraints):
    X, y = noisy(5, 40, 6, columns=3)
    q = problem_of(X, y, constraints)
    outcome = found(q)
    status, value = integer_program(X, y, q.budgets)
    if status == 2:
        assert outcome.infeasible
    else:
        assert outcome.closed
        assert outcome.value == pytest.approx(value, abs=1e-5)
        assert q.budgets.kept(q.losses.matrix.apply(outcome.w) > 0)


@pytest.mark.parametrize("offset", [0.0, 0.4 * np.arange(40) / 40])
@pytest.mark.parametrize("l1", [0.0, 0.05])
@pytest.mark.parametrize("constraints", ASKED[:4] + ASKED[8:9], ids=lambda asked: " and ".join(map(str, asked)))
def test_lasso_and_offsets_agree_with_an_integer_program(constraints, l1, offset):
    X, y = noisy(5, 40, 6, columns=3)
    shift = None if np.ndim(offset) == 0 else offset
    q = problem_of(X, y, constraints, strength=l1 or None, penalty="l1", offset=shift)
    outcome = found(q)
    status, value = integer_program(X, y, q.budgets, l1=l1, offset=offset)
    assert status == 0 and outcome.closed
    assert outcome.value == pytest.approx(value, abs=1e-5)
    assert q.budgets.kept(q.losses.scores(outcome.w) > 0)


def test_offsets_that_leave_no_solution():
    """Rows that differ in nothing but the offset cannot change sides: recall and false-positive rate go together."""
    X, y = np.tile([[0.0, 0.0], [0.0, 1.0]], (10, 1)), np.tile([1, -1], 10)
    X[:, 1] = 0.0
    offset = np.where(y > 0, -1.0, 1.0)
    asked = [sl.recall() >= 0.6, sl.false_positive_rate() <= 0.4]
    with pytest.warns(sl.ConvergenceWarning):
        result = sl.fit(X, y, loss="logistic", subject_to=asked, offset=offset, delta=None, time_limit=5.0)
    assert result.certificate.verdict is sl.Verdict.INFEASIBLE
    turned = sl.fit(X, y, loss="logistic", subject_to=asked, offset=-offset, delta=None, time_limit=5.0, warn=False)
    assert turned.constraints.exact.rates == (1.0, 0.0)


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
@pytest.mark.parametrize("penalty", ["l1", "elasticnet"])
def test_penalised_proxy_is_certified_and_sparse(loss, penalty):
    X, y = noisy(2, 100, 20)
    settings = {"loss": loss, "penalty": penalty, "strength": 0.05, "delta": None, "time_limit": 20.0}
    free = sl.fit(X, y, loss=loss, penalty=penalty, strength=0.05)
    result = sl.fit(X, y, subject_to=[sl.recall() >= 0.9], **settings)
    report = result.constraints
    assert report.free == pytest.approx(free.certificate.value, rel=1e-8)
    assert report.proxy.gap <= 1e-8 * report.proxy.value
    assert free.certificate.value <= report.exact.value <= report.proxy.value
    assert result.certificate.optimal
    assert 0 < int((result.weight == 0).sum()) < 10
    easy = sl.fit(X, y, subject_to=[sl.recall() >= 0.0], **settings)  # changes nothing
    assert np.allclose(easy.weight.numpy(), free.weight.numpy(), atol=1e-4)


@pytest.mark.parametrize("penalty", [None, "l2", "elasticnet"])
def test_softmax_of_two_classes(penalty):
    X, y = noisy(2, 100, 20)
    strength = None if penalty is None else 0.02
    free = sl.fit(X, y, loss="softmax", penalty=penalty, strength=strength)
    result = sl.fit(X, y, loss="softmax", penalty=penalty, strength=strength, subject_to=[sl.recall() >= 0.9],
                    delta=None)  # fmt: skip
    assert result.constraints.free == pytest.approx(free.certificate.value, rel=1e-7)
    assert result.certificate.optimal and (result.predict(X)[y > 0] > 0).mean() >= 0.9


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
def test_other_losses_against_all_choices(loss):
    """All choices of the rows that are given up, one after the other."""
    from itertools import combinations

    from sightline.constraints.node import relaxed

    X, y = noisy(6, 30, 5, columns=2)
    q = problem_of(X, y, [sl.recall() >= 0.85], loss, strength=0.01)
    positive = np.flatnonzero(y > 0)
    most = int(0.15 * len(positive) + 1e-9)
    best = min(
        relaxed(q.losses, rows, np.ones(len(rows)), tol=1e-10).value
        for given in combinations(positive, most)
        for rows in [np.setdiff1d(positive, given)]
    )
    outcome = found(q)
    assert outcome.closed and outcome.value == pytest.approx(best, rel=1e-6)


def test_proof_that_there_are_none():
    """Two rows in the same place with different labels: no weights are right about both."""
    X = np.array([[0.0], [0.0], [1.0], [2.0]])
    y = np.array([0, 1, 0, 1])
    with pytest.warns(sl.ConvergenceWarning, match="INFEASIBLE"):
        result = sl.fit(X, y, loss="hinge", subject_to=[sl.accuracy() >= 1.0], delta=None)
    assert result.certificate.verdict is sl.Verdict.INFEASIBLE
    assert result.constraints.exact.infeasible
    assert result.constraints.attained[0] == pytest.approx(0.75)
    assert "no weights meet them on these rows, proven" in str(result.constraints)


def test_proof_needs_a_search():
    """Not out of reach for any predictions, but for those of linear models: an exclusive or."""
    X = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]] * 3) + 0.01 * np.arange(12)[:, None]
    y = np.array([0, 0, 1, 1] * 3)
    q = problem_of(X, y, [sl.recall() >= 0.9, sl.false_positive_rate() <= 0.1])
    assert found(q).infeasible
    assert integer_program(X, np.where(y > 0, 1, -1), q.budgets)[0] == 2


def test_interruption_keeps_the_best():
    X, y = noisy(0, 300, 60)
    calls = []
    with pytest.warns(sl.ConvergenceWarning):
        result = sl.fit(
            X, y, loss="hinge", subject_to=[sl.recall() >= 0.9], delta=None,
            callback=lambda number, step: calls.append(number) or number > 60,
        )  # fmt: skip
    assert result.certificate.verdict is sl.Verdict.INTERRUPTED
    assert result.constraints.exact.rates[0] >= 0.9
    assert result.certificate.value >= 0.7319165 - 1e-6 >= result.constraints.exact.bound - 1e-6
    assert calls == sorted(calls)


def test_frontier():
    X, y = noisy(0, 100, 20)
    result = sl.fit(X, y, loss="hinge", subject_to=[sl.recall() >= 0.9], delta=None, time_limit=0, warn=False)
    line = result.frontier(levels=[0.6, 0.9, 0.95])
    assert line.levels == (0.6, 0.9, 0.95)
    assert list(line.proxy) == sorted(line.proxy)
    assert list(line.true) == sorted(line.true)
    assert all(b <= t + 1e-9 for b, t in zip(line.bound, line.true))
    assert line.proxy[1] == pytest.approx(1.0455740437, abs=1e-7)
    assert line.free == pytest.approx(0.5173021463, abs=1e-7)
    assert line.multiplier[1] == pytest.approx(2.16191, abs=1e-4)
    with pytest.raises(ValueError, match="levels holds 2"):
        result.frontier(levels=[2.0])
    with pytest.raises(ValueError, match="constraint=3"):
        result.frontier(3)


def test_picture_of_the_frontier():
    pytest.importorskip("matplotlib")
    from sightline.show.pictures.frontier import FrontierPicture

    X, y = noisy(0, 60, 12)
    result = sl.fit(X, y, loss="hinge", subject_to=[sl.recall() >= 0.9], delta=None, time_limit=0, warn=False)
    line = result.frontier(levels=[0.7, 0.9, 1.0])
    told = FrontierPicture.of(line).as_dict()
    assert told["chosen"] == 0.9 and told["levels"] == [0.7, 0.9, 1.0] and "objective" in told["title"]
    axes = sl.show.frontier(line)
    assert [handle.get_text() for handle in axes.get_legend().get_texts()].count("chosen") == 1
    with pytest.raises(sl.show.PictureError, match="has no frontier"):
        sl.show.frontier([1, 2])


def test_without_an_intercept_a_row_of_zeros_is_negative():
    """Its score is zero whatever the weights, which predicts the first class: that is no contradiction."""
    X = np.array([[0.0, 0.0], [1.0, 0.2], [0.8, -0.1], [-1.0, 0.3], [0.4, 0.1], [-0.3, -0.4]])
    y = np.array([0, 1, 1, 0, 0, 1])
    asked = [sl.false_positive_rate() <= 0.4, sl.recall() >= 0.6]
    result = sl.fit(X, y, loss="hinge", fit_intercept=False, subject_to=asked, delta=None)
    assert result.certificate.optimal and float(result.bias) == 0.0
    predicted = result.predict(X) == 1
    assert predicted[y == 0].mean() <= 0.4 and predicted[y == 1].mean() >= 0.6


def test_ctrl_c_keeps_the_best():
    X, y = noisy(1, 300, 60)
    q = problem_of(X, y, [sl.recall() >= 0.9])
    calls = []

    def report(line):
        calls.append(line)
        if len(calls) > 30:
            raise KeyboardInterrupt
        return False

    outcome = search(q.losses, q.budgets, [solve(q.losses.free()).w], seconds=100.0, report=report)
    assert outcome.stopped == "interruption" and q.budgets.kept(q.losses.matrix.apply(outcome.w) > 0)
    assert outcome.bound <= 0.6663074080 <= outcome.value + 1e-7


@pytest.mark.parametrize("seed", [2, 4, 32, 56])
def test_infeasible_against_all_lines(seed):
    """In the plane every prediction of a linear model is that of a line through two rows, these on either side."""
    from itertools import combinations, product

    X, y = noisy(seed, 30, 5, columns=2)
    q = problem_of(X, y, [sl.recall() >= 0.9, sl.false_positive_rate() <= 0.15])
    possible = False
    for i, j in combinations(range(30), 2):
        along = X[j] - X[i]
        z = (X - X[i]) @ np.array([-along[1], along[0]])
        for sign, a, b in product((1, -1), (False, True), (False, True)):
            h = sign * z > 0
            h[[i, j]] = a, b
            possible |= q.budgets.kept(h)
    assert found(q).infeasible is not possible


def test_group_differences_of_three_hundred_rows_are_closed():
    """Relaxations begun at weights of zero once stood still, and left their nodes open."""
    X, y = noisy(1, 300, 60)
    group = X[:, 0] > 0
    near = abs(sl.recall(where=group) - sl.recall(where=~group)) <= 0.05
    outcome = found(problem_of(X, y, [near], loss="logistic"), seconds=300.0)
    assert outcome.closed and outcome.stopped == ""
    assert outcome.value == pytest.approx(0.542463, abs=1e-6)
