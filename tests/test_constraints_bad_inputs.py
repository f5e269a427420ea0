"""Wrong constraints are named, with what to do."""

import numpy as np
import pytest
from constraint_cases import noisy

import sightline as sl
from sightline.constraints.rates import parse

X, Y = noisy(0, 60, 12, columns=3)
NONE = np.zeros(60, bool)

WRONG = [
    (lambda: [sl.recall() >= 1.2], ValueError, "lies between 0 and 1"),
    (lambda: [sl.recall() >= 90], ValueError, "Did you mean 0.9"),
    (lambda: [sl.precision() <= -0.1], ValueError, "lies between 0 and 1"),
    (lambda: [sl.recall() >= np.float64(np.inf - np.inf)], ValueError, "lies between 0 and 1"),
    (lambda: [sl.recall() >= "much"], TypeError, "must be a number"),
    (lambda: [0.8 <= sl.recall() <= 0.9], TypeError, "two of them in place of a chain"),
    (lambda: [sl.recall()], TypeError, "takes constraints such as"),
    (lambda: [0.9], TypeError, "takes constraints such as"),
    (lambda: "recall >= 0.9", TypeError, "list of constraints"),
    (lambda: [], ValueError, "subject_to is empty"),
    (lambda: [sl.recall(of="spam") >= 0.9], sl.DataError, "no class 'spam'"),
    (lambda: [sl.recall(where=NONE) >= 0.9], sl.DataError, "no row is in this group"),
    (lambda: [sl.recall(where=X[:, 0]) >= 0.9], sl.DataError, "must hold booleans"),
    (lambda: [sl.recall(where=NONE[:5]) >= 0.9], sl.DataError, r"must be \(60,\)"),
    (lambda: [sl.recall(where=Y < 0) >= 0.9], sl.DataError, "no row of"),
    (lambda: [sl.false_positive_rate(where=Y > 0) <= 0.9], sl.DataError, "no row of 'the other class'"),
    (lambda: [sl.recall() >= 0.9, sl.recall() <= 0.5], sl.DataError, "contradict each other"),
    (lambda: [sl.specificity() >= 0.9, sl.false_positive_rate() >= 0.5], sl.DataError, "contradict each other"),
    (lambda: [sl.recall() >= 0.95, sl.selection_rate() <= 0.1], sl.DataError, "contradict each other"),
    (lambda: [sl.precision() - sl.precision() <= 0.1], ValueError, "bound the precision of each group"),
    (lambda: [abs(sl.recall() - sl.recall()) >= 0.1], ValueError, "kept small"),
    (lambda: [abs(sl.recall() - sl.recall()) <= -0.1], ValueError, "lies between 0 and 1"),
]


@pytest.mark.parametrize("make, kind, words", WRONG, ids=[w for _, _, w in WRONG])
def test_constraints(make, kind, words):
    with pytest.raises(kind, match=words):
        sl.fit(X, Y, loss="hinge", subject_to=make())


SETTINGS = [
    ({"loss": "squared"}, "takes numbers"),
    ({"loss": "huber"}, "takes numbers"),
    ({"loss": "logistic", "penalty": "firth"}, "Firth's penalised likelihood is not convex"),
    ({"loss": "hinge", "delta": 0.0}, "delta=0.0"),
    ({"loss": "hinge", "delta": 2}, "delta=2"),
    ({"loss": "hinge", "held_out": 1.0}, "held_out=1.0"),
    ({"loss": "hinge", "time_limit": -1}, "time_limit=-1"),
]


@pytest.mark.parametrize("settings, words", SETTINGS, ids=[w for _, w in SETTINGS])
def test_settings(settings, words):
    with pytest.raises(ValueError, match=words):
        sl.fit(X, Y, subject_to=[sl.recall() >= 0.9], **settings)


def test_more_than_two_classes():
    with pytest.raises(ValueError, match=r"y has 3.*one class against the others"):
        sl.fit(X, np.arange(60) % 3, loss="softmax", subject_to=[sl.recall(of=2) >= 0.9])


TEXTS = [
    ("recall", "is no constraint"),
    ("recall>0.9", "is no constraint"),
    ("recall=0.9", "is no constraint"),
    ("recal>=0.9", "Did you mean recall"),
    ("recall>=much", "is not a number"),
    ("recall>=90", "Did you mean 0.9"),
    ("|recall|<=0.1", "difference of two"),
    ("recall - recall - recall<=0.1", "more than two"),
    ("recall[sex=f]>=0.9", "there are none here"),
]


@pytest.mark.parametrize("text, words", TEXTS)
def test_texts(text, words):
    with pytest.raises(ValueError, match=words):
        parse(text)


@pytest.mark.parametrize(
    "text, written",
    [
        ("recall>=0.9", "recall >= 0.9"),
        (" fpr <= 5% ", "false_positive_rate <= 0.05"),
        ("false-positive-rate<=.05", "false_positive_rate <= 0.05"),
        ("|recall[sex=f] - recall[sex=m]|<=0.1", "|recall[sex=f] - recall[sex=m]| <= 0.1"),
        ("selection_rate[age group=20-30]>=0.1", "selection_rate[age group=20-30] >= 0.1"),
    ],
)
def test_good_texts(text, written):
    assert str(parse(text, lambda column, value: NONE)) == written


def test_no_half_of_a_class_to_hold_out():
    given = sl.fit(
        np.arange(4.0)[:, None], [0, 0, 0, 1], loss="hinge", subject_to=[sl.recall() >= 0.5], warn=False, time_limit=0
    ).constraints.guarantee
    assert not given.holds and given.reason
