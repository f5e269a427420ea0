"""The guarantee for new data: order statistics, how many rows they need, and how often it is broken."""

import math

import numpy as np
import pytest
from constraint_cases import noisy
from scipy import stats

import sightline as sl
from sightline.constraints.order_statistic import doubt, lower, needed, rank, upper


@pytest.mark.parametrize("share, delta, rows", [(0.1, 0.05, 29), (0.05, 0.05, 59), (0.1, 0.01, 44), (0.5, 0.5, 1)])
def test_rows_needed(share, delta, rows):
    assert needed(share, delta) == rows
    assert rank(rows, share, delta) == 1
    assert rank(rows - 1, share, delta) == 0


@pytest.mark.parametrize("m, share, delta", [(50, 0.1, 0.05), (230, 0.1, 0.05), (1000, 0.02, 0.01), (40, 0.9, 0.2)])
def test_rank_is_the_largest(m, share, delta):
    k = rank(m, share, delta)
    assert stats.binom.cdf(k - 1, m, share) <= delta < stats.binom.cdf(k, m, share)
    assert doubt(k, m, share) == pytest.approx(stats.binom.cdf(k - 1, m, share))


def test_clopper_pearson():
    assert upper(0, 10, 0.05) == pytest.approx(1 - 0.05**0.1)
    assert (lower(0, 10, 0.05), upper(10, 10, 0.05)) == (0.0, 1.0)
    assert stats.binom.cdf(3, 20, upper(3, 20, 0.05)) == pytest.approx(0.05)


def test_refuses_below_and_says_how_many():
    X, y = noisy(0, 100, 20)
    result = sl.fit(X, y, loss="hinge", subject_to=[sl.recall() >= 0.9], time_limit=0, warn=False)
    given = result.constraints.guarantee
    assert not given.holds and given.kind == "out of fold"
    assert "at least 29" in given.reason and "there are 15" in given.reason
    assert "without proof" in str(result.constraints)
    with pytest.raises(ValueError, match="at least 29"):
        result.guaranteed()


def fresh(seed, rows):
    """New rows of the case with that seed: the same hidden line, labels inverted with probability a fifth."""
    truth = np.random.RandomState(seed).normal(size=10) / math.sqrt(10)
    draw = np.random.RandomState(10_000 + seed)
    X = draw.normal(size=(rows, 10)).astype(np.float32).astype(np.float64) / math.sqrt(10)
    return X, np.where((X @ truth > 0) ^ (draw.uniform(size=rows) < 0.2), 1, -1)


def test_holds_on_new_data():
    """At most delta of the seeds may break it; with 40 seeds and delta = .2, 14 or more would be a chance of 2 %."""
    broken = 0
    for seed in range(40):
        X, y = noisy(seed, 300, 60)
        result = sl.fit(
            X, y, loss="logistic", subject_to=[sl.recall() >= 0.8], delta=0.2, seed=seed, time_limit=0, warn=False
        )
        new, truth = fresh(seed, 20_000)
        broken += (result.guaranteed().predict(new)[truth > 0] > 0).mean() < 0.8
    assert broken < 14


def test_several_constraints_share_the_doubt():
    X, y = noisy(1, 2000, 100)
    result = sl.fit(
        X, y, loss="logistic", subject_to=[sl.recall() >= 0.8, sl.false_positive_rate() <= 0.25], time_limit=0,
        warn=False,
    )  # fmt: skip
    given = result.constraints.guarantee
    assert given.holds and len(given.proofs) == 2
    assert sum(p.doubt for p in given.proofs) <= 0.05
    for proof, asked in zip(given.proofs, (0.8, 0.25)):
        assert proof.rate >= asked if proof.constraint.startswith("recall") else proof.rate <= asked


def test_no_threshold_for_both():
    X, y = noisy(1, 600, 120)
    asked = [sl.recall() >= 0.95, sl.false_positive_rate() <= 0.05]
    given = sl.fit(X, y, loss="logistic", subject_to=asked, time_limit=0, warn=False).constraints.guarantee
    assert not given.holds and "no threshold keeps all constraints" in given.reason


def test_precision_out_of_reach():
    """With a fifth of the labels inverted no model's precision passes .8 on new data."""
    X, y = noisy(0, 4000, 800)
    result = sl.fit(X, y, loss="logistic", subject_to=[sl.precision() >= 0.9], time_limit=0, warn=False)
    given = result.constraints.guarantee
    assert not given.holds
    assert "cannot be proven" in given.reason
    assert "precision >= 0.9 is out of reach on new data" in given.ceiling


def test_accuracy_and_differences_can_be_proven():
    X, y = noisy(2, 4000, 200)
    group = X[:, 0] > 0
    asked = [sl.accuracy() >= 0.8, abs(sl.selection_rate(where=group) - sl.selection_rate(where=~group)) <= 0.9]
    result = sl.fit(X, y, loss="logistic", subject_to=asked, time_limit=0, warn=False)
    assert result.constraints.guarantee.holds
    assert result.guaranteed().predict(X).shape == (4000,)


def test_weights_have_no_order_statistic():
    X, y = noisy(0, 200, 20)
    weight = np.linspace(1, 2, 200)
    given = sl.fit(
        X, y, loss="hinge", subject_to=[sl.recall() >= 0.9], sample_weight=weight, time_limit=0, warn=False
    ).constraints.guarantee
    assert given.kind == "none" and "weights that differ" in given.reason
