"""`sl.separation`: kinds, rows and fates against published analyses and against plain linear programs."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import scipy.sparse
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import sightline as sl
from sightline.cli import main
from sightline.separating.asking import separation_of

DATA = Path(__file__).parent / "data" / "separation"


def endometrial():
    table = pd.read_csv(DATA / "endometrial.csv")
    return table[["NV", "PI", "EH"]], table["HG"]


# ---------------------------------------------------------------------------------------------------- published


def test_endometrial():
    """Heinze & Schemper (2002); the limit as R's detectseparation and glm on the overlapping rows give it."""
    X, y = endometrial()
    found = sl.separation(X, y)
    assert found.kind == "quasi-complete" and found.overlap == "proven" and found.n_rows == 13
    assert found.fates == {"(intercept)": "finite", "NV": "+Inf", "PI": "finite", "EH": "finite"}
    assert found.rows.tolist() == np.flatnonzero(X["NV"] == 1).tolist() == found.settled.tolist()
    limit = found.limit_fit()
    assert abs(limit.deviance - 55.39326) < 1e-5 and limit.gap < 1e-12 and limit.rows == 66
    assert np.allclose([limit["(intercept)"], limit["PI"], limit["EH"]], [4.3045178, -0.0421834, -2.9026056], atol=1e-7)
    assert limit["NV"] == np.inf and np.isnan(limit.errors[1])
    assert np.allclose(limit.errors[[0, 2, 3]], [1.63730, 0.04433, 0.84555], atol=1e-5)


def test_aliased_column_is_left_out():
    X, y = endometrial()
    X.insert(1, "twice", 2 * X["NV"])
    found = sl.separation(X, y)
    assert list(found.fates.values()) == ["finite", "+Inf", "aliased", "finite", "finite"]
    assert found.direction.coef[0, 1] == 0 and abs(found.limit_fit().deviance - 55.39326) < 1e-5


def test_sex2():
    table = pd.read_csv(DATA / "sex2.csv")
    found = sl.separation(table.drop(columns="case"), table["case"])
    assert [c.column for c in found.of("+Inf")] == ["dia"] and len(found.of("finite")) == 6
    assert found.kind == "quasi-complete" and found.n_rows == table["dia"].sum() == 7


def test_lizards_overlap():
    table = pd.read_csv(DATA / "lizards.csv")
    X = pd.get_dummies(table[["height", "diameter", "light", "time"]], drop_first=True).astype(float)
    weight = np.concatenate([table["grahami"], table["opalinus"]])
    found = sl.separation(pd.concat([X, X]), np.repeat([1, 0], len(X)), sample_weight=weight)
    assert found.kind == "none" and found.overlap == "proven" and found.direction is None and not found.separated
    assert set(found.fates.values()) == {"finite"} and found.n == (weight > 0).sum()
    # Without separation the limit is the maximum-likelihood fit.
    fit = sl.fit(pd.concat([X, X]), np.repeat([1, 0], len(X)), loss="logistic", sample_weight=weight)
    assert np.allclose(found.limit_fit().estimates, np.append(fit.bias, fit.weight), atol=1e-9)


def test_examples_of_detectseparation():
    complete = sl.separation([[-1.0, 2], [-1, -2], [-2, -2], [2, 2]], [0, 1, 1, 1])
    assert complete.kind == "complete" and complete.n_rows == 4 and complete.overlap == ""
    assert sl.separation([[-1.0], [0], [1], [2]], [0, 1, 0, 1]).kind == "none"


def test_iris():
    from sklearn.datasets import load_iris

    X, y = load_iris(return_X_y=True)
    found = sl.separation(X, y, reference=1)
    assert found.kind == "quasi-complete" and found.settled.tolist() == list(range(50))
    fates = {k: {f for (c, _), f in found.fates.items() if c == k} for k in ("0", "2")}
    assert fates == {"0": {"direction-dependent"}, "2": {"finite"}}
    two = sl.fit(X[50:], y[50:], loss="logistic")
    limit = found.limit_fit()
    assert np.allclose(limit.estimates[6:], two.weight[0], atol=1e-5)
    assert abs(limit.deviance - 200 * two.certificate.value) < 1e-8


# -------------------------------------------------------------------------------------------- against plain programs


def plain(X, y, intercept, reference):
    """Kind, rows and fates by one linear program for the rows and two for each coefficient."""
    classes, codes = np.unique(y, return_inverse=True)
    many = len(classes)
    Z = np.hstack([np.ones((len(X), 1)), X]) if intercept else X
    names = ["(intercept)"] * intercept + [f"x{j + 1}" for j in range(X.shape[1])]
    keep = []
    for j in range(Z.shape[1]):
        if np.linalg.matrix_rank(Z[:, [*keep, j]]) > len(keep):
            keep.append(j)
    A, rows = [], []
    for i, own in enumerate(codes):
        for k in set(range(many)) - {own}:
            margin = np.zeros((many, len(keep)))
            margin[own] += Z[i, keep]
            margin[k] -= Z[i, keep]
            A.append(np.delete(margin, reference, 0).ravel())
            rows.append(i)
    A = np.array(A)
    m, d = A.shape
    done = scipy.optimize.linprog(
        np.r_[np.zeros(d), -np.ones(m)], A_ub=np.hstack([-A, np.eye(m)]), b_ub=np.zeros(m),
        bounds=[(None, None)] * d + [(0, 1)] * m,
    )  # fmt: skip
    falls = done.x[d:] > 0.5
    fates = {}
    for b, k in enumerate(k for k in range(many) if k != reference):
        for j, name in enumerate(names):
            fate = "aliased"
            if j in keep:
                c = np.eye(d)[b * len(keep) + keep.index(j)]
                box = {"A_ub": -A, "b_ub": np.zeros(m), "bounds": [(-1, 1)] * d}
                low, high = (s * scipy.optimize.linprog(s * c, **box).fun for s in (1, -1))
                fate = [["finite", "+Inf"], ["-Inf", "direction-dependent"]][low < -1e-6][high > 1e-6]
            fates[name if many == 2 else (str(classes[k]), name)] = fate
    kind = "none" if not falls.any() else "complete" if falls.all() else "quasi-complete"
    return kind, sorted(set(np.array(rows)[falls].tolist())), fates


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_kind_rows_and_fates_are_those_of_plain_programs(seed):
    rng = np.random.default_rng(seed)
    many, n, p = int(rng.integers(2, 4)), int(rng.integers(5, 30)), int(rng.integers(1, 5))
    levels = int(rng.integers(1, 4))
    X = rng.integers(-levels, levels + 1, (n, p)).astype(float)
    if rng.random() < 0.3:
        X[:, -1] = 2 * X[:, 0] - X[:, p // 2]
    scores = X @ rng.integers(-2, 3, (p, many)) + rng.integers(-1, 2, (n, many)) * rng.integers(0, 2)
    y = scores.argmax(1)
    y[:many] = np.arange(many)
    intercept, reference = bool(rng.random() < 0.7), int(rng.integers(0, many)) if many > 2 else 0
    found = sl.separation(
        scipy.sparse.csr_array(X) if rng.random() < 0.3 else X, y, fit_intercept=intercept,
        reference=reference if many > 2 else None,
    )  # fmt: skip
    assert (found.kind, found.rows.tolist(), found.fates) == plain(X, y, intercept, reference)
    assert found.overlap in ("", "proven", "rounding")
    if found.separated:
        check_direction(found, X, y)


def check_direction(found, X, y):
    """In rational arithmetic: no margin falls, and exactly the listed rows rise."""
    classes, codes = np.unique(y, return_inverse=True)
    assert found.direction.verified == "exact"
    U = [[Fraction(int(u)) for u in row] for row in found.direction.integers]
    rise = set()
    for i, (x, own) in enumerate(zip(X, codes)):
        scores = [sum(Fraction(v) * u for v, u in zip(x, row)) + row[-1] for row in U]
        if len(classes) == 2:
            margins = [scores[0] if own else -scores[0]]
        else:
            margins = [scores[own] - s for k, s in enumerate(scores) if k != own]
        assert min(margins) >= 0
        if max(margins) > 0:
            rise.add(i)
    assert sorted(rise) == found.rows.tolist()


def test_a_later_direction_does_not_undo_an_earlier_one():
    """Directions are summed so that every row that fell keeps falling (a plain sum loses some here)."""
    X = np.array([[0, 0, 1, 0, -1, -1, 1, -1, -1, 1, 1, 1, 0], [-1, -1, 0, -1, 0, 0, -1, -1, 0, -1, 1, -1, 0],
                  [1, -1, 1, -1, -1, -1, -1, 1, 1, -1, 0, 0, -1]], dtype=float).T  # fmt: skip
    y = np.array([0, 1, 0, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1])
    assert sl.separation(X, y, fit_intercept=False).kind == "complete"


# ------------------------------------------------------------------------------------------------------- the inputs


def test_kinds_of_input_agree():
    X, y = endometrial()
    want = sl.separation(X, y)
    ways = (
        (X.to_numpy(), y.to_numpy()), (torch.tensor(X.to_numpy()), torch.tensor(y.to_numpy())),
        (scipy.sparse.csr_array(X.to_numpy()), y), (X.to_numpy() * 2.0**300 + 0, y),
        (X.to_numpy() + np.array([0, 1e8, 0]), y),
    )  # fmt: skip
    for rows, labels in ways:
        found = sl.separation(rows, labels)
        assert list(found.fates.values()) == list(want.fates.values())
        assert found.rows.tolist() == want.rows.tolist() and found.direction.verified == "exact"


def test_label_swap_turns_the_signs():
    X, y = endometrial()
    assert sl.separation(X, 1 - y).fates["NV"] == "-Inf" and sl.separation(-X, y).fates["NV"] == "-Inf"


def test_rows_of_weight_zero_have_no_part_but_keep_their_numbers():
    X, y = endometrial()
    weight = np.ones(len(y))
    weight[:22] = 0
    found = sl.separation(X, y, sample_weight=weight)
    assert found.n == 57 and found.rows.min() >= 22 and set(found.rows) <= set(np.flatnonzero(X["NV"] == 1))
    # A row that counts and one that does not, of the other class.
    more, labels = pd.concat([X, X[X["NV"] == 1][:1]]), np.append(y, 0)
    assert sl.separation(more, labels).kind == "none"
    assert sl.separation(more, labels, sample_weight=np.append(np.ones(79), 0)).n_rows == 13


def test_weights_count_in_the_limit():
    X, y = endometrial()
    weight = 1 + np.arange(79) % 3
    copies = np.repeat(np.arange(79), weight)
    one, other = sl.separation(X, y, sample_weight=weight), sl.separation(X.iloc[copies], y.iloc[copies])
    assert np.allclose(one.limit_fit().estimates, other.limit_fit().estimates, rtol=1e-9, equal_nan=True)
    assert np.allclose(one.limit_fit().errors, other.limit_fit().errors, rtol=1e-9, equal_nan=True)


def test_more_columns_than_rows():
    rng = np.random.default_rng(0)
    found = sl.separation(rng.normal(size=(12, 40)), np.arange(12) % 2)
    assert found.kind == "complete" and len(found.of("aliased")) == 29 and len(found.of("direction-dependent")) == 12


def test_margins_far_on_the_right_side_do_not_hide_the_overlap():
    """Rows whose probability rounds to one have multipliers of zero in floats; any positive ones will do."""
    x = np.array([0.0, 1, 2, 3, 1e4, -1e4])
    found = sl.separation(x[:, None], [0, 1, 0, 1, 1, 0])
    assert found.kind == "none" and found.overlap == "proven"


def test_objective_of_a_fit():
    X, y = endometrial()
    data = sl.make_data(X, y, sl.Logistic())
    assert separation_of(sl.Objective(data, sl.Logistic(), sl.L2(1.0))).n_rows == 13
    with pytest.raises(ValueError, match="logistic and softmax"):
        separation_of(sl.Objective(sl.make_data(X, y, sl.Squared()), sl.Squared()))


def test_bad_input():
    X, y = endometrial()
    with pytest.raises(sl.DataError, match="one class only"):
        sl.separation(X, np.ones(79))
    with pytest.raises(sl.DataError, match="columns= has 1 names for 3"):
        sl.separation(X, y, columns=["NV"])
    with pytest.raises(sl.DataError, match="reference='C' is not among"):
        sl.separation(X, y, reference="C")
    with pytest.raises(sl.DataError, match="separation is about classes"):
        sl.separation(X, np.linspace(0, 1, 79))
    with pytest.raises(sl.DataError, match="column 'PI', row 3"):
        sl.separation(X.assign(PI=np.where(np.arange(79) == 3, np.nan, 1.0)), y)


def test_words():
    X, y = endometrial()
    text = str(sl.separation(X, y))
    assert "13 of 79 rows" in text and "exact arithmetic" in text and "21, 22, 23" in text
    assert "limit_fit()" in text and "sl.Firth()" in text and "C=1" in text and "MaxMargin" not in text
    assert "NV           tends to +Inf" in text
    assert "MaxMargin" in str(sl.separation(X[["NV"]].to_numpy() * 2 - 1, X["NV"]))
    assert "inf" in str(sl.separation(X, y).limit_fit())
    json.dumps(sl.separation(X, y).to_dict())


def test_messages_of_fits_name_the_ways_out():
    X, y = endometrial()
    with pytest.warns(sl.ConvergenceWarning, match=r"C=1.*sl\.Firth\(\).*limit_fit\(\)"):
        sl.fit(X, y, loss="logistic")
    with pytest.warns(sl.ConvergenceWarning, match=r"C=1.*sl\.Firth\(\).*sl\.MaxMarginClassifier"):
        sl.fit(X[["NV"]].to_numpy(), X["NV"], loss="logistic")


# ------------------------------------------------------------------------------------------------------ command line


def test_command_line():
    def run(*arguments):
        return CliRunner().invoke(main, ["separation", str(DATA / "endometrial.csv"), *arguments])

    said = run("--target", "HG", "--limit")
    assert said.exit_code == 1 and "22, 23, 24" in said.output and "55.39326" in said.output
    told = json.loads(run("--target", "HG", "--json", "--limit").stdout)
    assert told["kind"] == "quasi-complete" and told["rows"][0] == 22 and told["limit"]["estimates"][1] == "Infinity"
    overlap = run("--target", "HG", "--drop", "NV")
    assert overlap.exit_code == 0 and "No separation" in overlap.output
    bad = run("--target", "HG", "--reference", "C")
    assert bad.exit_code == 2 and "not a class of the target" in bad.output
    assert run("--target", "nothing").exit_code == 2 and run().exit_code == 2


def test_a_class_without_rows():
    X, y = endometrial()
    text = str(sl.separation(X, np.zeros(79), classes=[0, 1]))
    assert "'1' has no rows" in text and "MaxMargin" not in text
    centred = X[["PI", "EH"]] - X[["PI", "EH"]].mean()  # zero is among the rows: only a lower intercept lowers all
    three = sl.separation(centred, y, classes=[0, 1, 2])
    assert three.absent == (2,) and three.fates["2", "(intercept)"] == "-Inf" and three.n_rows == 79
    assert three.fates["1", "PI"] == "finite" and "Firth" not in str(three)


def test_fits_say_the_kind():
    X, y = endometrial()
    quasi = sl.fit(X, y, loss="logistic", warn=False).certificate
    assert quasi.witness.separation == "quasi-complete"
    assert sl.Certificate.from_dict(quasi.to_dict()) == quasi
    complete = sl.fit(X, X["NV"], loss="softmax", warn=False).certificate
    assert complete.witness.separation == "complete"
