"""The data of the pictures against computations that know nothing of them."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import show_cases as cases
import torch
from sklearn.metrics import precision_recall_curve, roc_auc_score

import sightline as sl
from sightline.penalties import L1, L2
from sightline.recipes.objective import RecipeObjective
from sightline.show.boundaries import Slice, boundary
from sightline.show.optimum import optimum_of, widest_margin
from sightline.show.pictures.coefficients import Coefficients
from sightline.show.pictures.curvature import Curvature, eigen_directions, largest_anywhere
from sightline.show.pictures.data_space import DataSpace, chosen_steps
from sightline.show.pictures.gap import Gap
from sightline.show.pictures.gradient_noise import GradientNoise, row_gradients
from sightline.show.pictures.loss_of_score import LossOfScore
from sightline.show.pictures.loss_surface import LossSurface
from sightline.show.pictures.norm_and_direction import NormAndDirection
from sightline.show.pictures.parameter_and_data import ParameterAndData
from sightline.show.pictures.predictions import Probabilities
from sightline.show.plane import filled_in, grid_values, plane_of
from sightline.show.trajectories import Trajectory, recipe_label, trajectory

START = [-15.0, -10.0]


@pytest.fixture(scope="module")
def line() -> Trajectory:
    return cases.descend(cases.line(), 0.01, 60, START, batch=10, factor=2.0)


@pytest.fixture(scope="module")
def iris() -> Trajectory:
    return cases.descend(cases.iris(), 0.1, 120, [0.5, -1.0, 2.0, 0.3, 0.0], batch=33)


@pytest.fixture(scope="module")
def two() -> Trajectory:
    return cases.descend(cases.two_points(), 0.1, 200)


def xy(problem) -> tuple[np.ndarray, np.ndarray]:
    return problem.data.design.to_dense().double().numpy(), problem.data.y.numpy()


# ------------------------------------------------------------------------------------------------------ loss surface


def test_the_line_is_that_of_the_reference(line):
    """OLS and the end of ten epochs in batches of ten, as posted (issue 3, founding case 4)."""
    best = line.optimum.weights
    assert best is not None
    assert [round(float(v), 4) for v in best.flat()] == [1.0064, -1.0222]
    assert [round(float(v), 3) for v in line.last().flat()] == [0.672, -3.832]


def test_surface_is_the_loss_and_its_bias_axis_is_not_mirrored(line):
    picture = LossSurface.of([line])
    X, y = xy(line.objective)
    rng = np.random.default_rng(0)
    for _ in range(50):
        i, j = rng.integers(len(picture.y)), rng.integers(len(picture.x))
        wanted = np.mean((picture.x[j] * X[:, 0] + picture.y[i] - y) ** 2)  # nn.MSELoss is not halved
        assert picture.value[i][j] == pytest.approx(wanted, rel=1e-12)
    values = np.asarray(picture.value)
    i, j = np.unravel_index(values.argmin(), values.shape)
    slope, at = np.polyfit(X[:, 0], y, 1)
    assert picture.optimum == pytest.approx([slope, at], abs=1e-6)
    assert abs(picture.x[j] - slope) <= picture.x[1] - picture.x[0]
    assert abs(picture.y[i] - at) <= picture.y[1] - picture.y[0]
    # The mirrored drawing, mean((y - w x + b)^2), has its minimum on the other side of zero.
    assert abs(picture.y[i] + at) > 5 * (picture.y[1] - picture.y[0])


def test_surface_holds_path_and_optimum(line):
    picture = LossSurface.of([line])
    path = picture.paths[0]
    assert [path.x[0], path.y[0]] == START and path.inside == 61
    assert np.allclose(np.stack([path.x, path.y], 1), line.flat.numpy())
    assert np.allclose(path.value, line.values)
    assert picture.x[0] < min(path.x) and max([*path.x, picture.optimum[0]]) < picture.x[-1]
    assert picture.levels == sorted(picture.levels) and picture.levels[0] == picture.lowest
    assert picture.share is None and "8.13 above the optimum after 10 epochs" in picture.alternative


def test_more_than_two_weights_are_drawn_in_the_principal_plane(iris):
    plane = plane_of([iris])
    best = iris.optimum.weights.flat()
    assert torch.equal(plane.origin, best)
    moved = (iris.flat - best).numpy()
    s = np.linalg.svd(moved, compute_uv=False)
    assert plane.share == pytest.approx((s[0] ** 2 + s[1] ** 2) / (s**2).sum(), rel=1e-10)
    basis = torch.stack([plane.across, plane.up])
    assert torch.allclose(basis @ basis.T, torch.eye(2).double(), atol=1e-12)
    assert basis[:, -1].abs().max() == 0  # there is no intercept
    picture = LossSurface.of([iris])
    assert picture.optimum == pytest.approx([0, 0], abs=1e-12)
    X, t = xy(iris.objective)
    for i, j in ((3, 90), (50, 50), (97, 4)):
        w = (best + picture.x[j] * plane.across + picture.y[i] * plane.up).numpy()[:-1]
        assert picture.value[i][j] == pytest.approx(np.mean(np.logaddexp(0, -t * (X @ w))), rel=1e-10)
    assert np.asarray(picture.value).min() >= picture.lowest
    assert "%" in picture.subtitle


@pytest.mark.parametrize("kind", ["softmax, L1", "squared, row weights", "bias in the penalty", "quantile"])
def test_grid_values_are_the_objective(kind):
    rng = np.random.default_rng(1)
    if kind == "softmax, L1":
        problem = cases.three_classes(penalty=L1(0.03))
    elif kind == "squared, row weights":
        problem = cases.objective(
            rng.normal(size=(20, 3)), rng.normal(size=20), "squared", L2(0.2), sample_weight=rng.uniform(0.1, 3, 20)
        )
    elif kind == "quantile":
        problem = cases.objective(rng.normal(size=(20, 3)), rng.normal(size=20), "quantile")
    else:
        base = cases.two_points()
        problem = RecipeObjective(base.data, base.loss, L2(0.2), True, 0.2)
    zeros = problem.zeros()
    flats = torch.from_numpy(rng.normal(size=(5, len(zeros.flat()))))
    path = Trajectory("", problem, [zeros.unflat(f) for f in flats], list(range(5)))
    plane = plane_of([path])
    xs, ys = np.linspace(-2, 3, 5), np.linspace(-1, 1, 4)
    values = grid_values(problem, plane, xs, ys)
    for i, b in enumerate(ys):
        for j, a in enumerate(xs):
            point = zeros.unflat(plane.origin + a * plane.across + b * plane.up)
            assert values[i, j] == pytest.approx(problem.value(point), rel=1e-12)


def test_a_straight_path_still_has_a_plane():
    problem = cases.objective(np.eye(3), np.array([1.0, 2.0, 3.0]), "squared", intercept=False)
    flats = torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]], dtype=torch.float64)
    path = Trajectory("", problem, [problem.zeros().unflat(f) for f in flats], [0, 1])
    plane = plane_of([path])
    assert abs(float(plane.across @ plane.up)) < 1e-12 and float(plane.up.norm()) == pytest.approx(1)


def test_a_diverging_path_is_cut_off_and_said():
    path = cases.descend(cases.line(), 0.5, 400, START, factor=2.0)
    picture = LossSurface.of([path])
    assert path.finite > 100 and picture.paths[0].inside < 10
    best = np.asarray(picture.optimum)
    reach = np.linalg.norm(np.asarray(START) - best)
    assert max(abs(picture.x[0] - best[0]), abs(picture.x[-1] - best[0])) < 5 * reach
    longer = cases.descend(cases.line(), 50.0, 400, START, factor=2.0)
    assert longer.finite < 401
    assert "diverged at step" in LossSurface.of([longer]).alternative


def test_no_optimum_is_said_and_the_widest_margin_drawn():
    path = cases.descend(cases.fahrenheit(), 0.1, 30, batch=1)
    picture = LossSurface.of([path])
    assert picture.optimum is None and picture.lowest == 0
    assert picture.ray == pytest.approx([2.0, -65.0], rel=1e-6)
    assert "No optimum" in picture.alternative


# ------------------------------------------------------------------------------------------------------- data space


def test_the_widest_margin_of_two_points_is_their_perpendicular_bisector(two):
    picture = DataSpace.of(two)
    assert len(picture.margin) == 1
    for x, y in picture.margin[0]:
        assert math.hypot(x - 3, y - 2) == pytest.approx(math.hypot(x - 1, y - 1), rel=1e-6)
    (a, b), (c, d) = picture.margin[0]
    assert (c - a) * 2 + (d - b) * 1 == pytest.approx(0, abs=1e-6)
    for point, side in ((np.array([3.0, 2.0]), picture.sides[0]), (np.array([1.0, 1.0]), picture.sides[1])):
        (ax, ay), (bx, by) = side
        across = (bx - ax) * (point[1] - ay) - (by - ay) * (point[0] - ax)
        assert across / math.hypot(bx - ax, by - ay) == pytest.approx(0, abs=1e-5)
    assert picture.heading and not picture.optimum and picture.one_scale


def test_margins_of_the_founding_cases():
    two, far = cases.two_points(), cases.fahrenheit()
    assert widest_margin(two).flat().tolist() == pytest.approx([0.8, 0.4, -2.2], abs=1e-6)
    assert widest_margin(two, bias_counts=True).flat().tolist() == pytest.approx([7 / 6, -1 / 3, -11 / 6], abs=1e-6)
    assert widest_margin(far).flat().tolist() == pytest.approx([2, -65], rel=1e-6)
    assert widest_margin(cases.noisy("logistic")) is None
    assert widest_margin(cases.three_classes()) is None


def test_lines_by_step_lie_where_the_score_is_zero(two):
    picture = DataSpace.of(two)
    left, right, bottom, top = picture.box
    left, right, bottom, top = left - 3, right + 3, bottom - 2, top + 2
    assert [line.step for line in picture.lines] == [two.steps[i] for i in chosen_steps(two)]
    drawn = 0
    for line in picture.lines:
        w = two.weights[two.steps.index(line.step)]
        for piece in line.pieces:
            drawn += 1
            for x, y in piece:
                score = w.coef @ torch.tensor([x, y], dtype=torch.float64) + w.intercept
                assert float(score) == pytest.approx(0, abs=1e-9)
                assert left - 1e-9 <= x <= right + 1e-9 and bottom - 1e-9 <= y <= top + 1e-9
    assert drawn > 3


def test_boundaries_of_three_classes_part_the_highest_scores():
    torch.manual_seed(0)
    slopes, offsets = torch.randn(4, 2).double(), torch.randn(4).double()
    pieces = boundary(slopes, offsets, (-3, 3, -2, 2))
    assert pieces
    for a, b in pieces:
        for t in (0.01, 0.5, 0.99):
            point = torch.tensor(a, dtype=torch.float64) * (1 - t) + torch.tensor(b, dtype=torch.float64) * t
            z = (slopes @ point + offsets).sort(descending=True).values
            assert float(z[0] - z[1]) == pytest.approx(0, abs=1e-9)
    # Wherever the predicted class changes along a scan line, a piece crosses it.
    xs = torch.linspace(-3, 3, 4001, dtype=torch.float64)
    said = (torch.stack([xs, torch.full_like(xs, 0.3)], 1) @ slopes.T + offsets).argmax(1)
    changes = xs[1:][said[1:] != said[:-1]]
    crossings = sorted(
        a[0] + (0.3 - a[1]) / (b[1] - a[1]) * (b[0] - a[0]) for a, b in pieces if (a[1] - 0.3) * (b[1] - 0.3) < 0
    )
    assert crossings == pytest.approx(changes.tolist(), abs=2e-3) and crossings


def test_other_columns_are_held_at_their_means(iris):
    part = Slice.of(iris.objective, ("petal length (cm)", "petal width (cm)"))
    X, _ = xy(iris.objective)
    slopes, offsets = part.reduced(iris.last())
    w = iris.last().coef.numpy()
    assert slopes[1].tolist() == pytest.approx(w[2:].tolist())
    assert float(offsets[1]) == pytest.approx(X[:, 0].mean() * w[0] + X[:, 1].mean() * w[1])
    assert "held at their means" in DataSpace.of(iris, (2, 3)).subtitle


def test_fahrenheit_over_one_column():
    path = cases.descend(cases.fahrenheit(), 0.1, 2000, batch=1)
    picture = DataSpace.of(path)
    assert picture.form == "axis" and picture.margin[0][0][0] == pytest.approx(32.5, rel=1e-6)
    w, b = path.last().flat().tolist()
    rising = np.asarray(picture.lines[-1].pieces[0])
    assert np.allclose(rising[:, 1], 1 / (1 + np.exp(-(w * rising[:, 0] + b))), atol=1e-12)
    assert f"boundary {-b / w:.3g}"[:12] in picture.title


def test_parameter_and_data_show_the_same_steps(line):
    picture = ParameterAndData.of(line)
    path = picture.surface.paths[0]
    for i, drawn in zip(picture.marked, picture.space.lines, strict=True):
        (x0, y0), (x1, y1) = drawn.pieces[0]
        assert (y1 - y0) / (x1 - x0) == pytest.approx(path.x[i])
        assert y0 - path.x[i] * x0 == pytest.approx(path.y[i], abs=1e-9)


# --------------------------------------------------------------------------------------- gap, norm, coefficients


def test_gap_is_the_distance_from_the_best_value(line):
    picture = Gap.of([line])
    X, y = xy(line.objective)
    A = np.c_[X, np.ones(len(X))]
    best = np.mean((A @ np.linalg.lstsq(A, y, rcond=None)[0] - y) ** 2)
    wanted = [np.mean((A @ w - y) ** 2) - best for w in line.flat.numpy()]
    assert picture.series[0].gap == pytest.approx(wanted, rel=1e-9)
    assert picture.series[0].at[-1] == 10 and picture.x_name == "epoch"
    assert Gap.of([line], "steps").series[0].at[-1] == 60
    assert Gap.of([line], "seconds").series[0].at[-1] == pytest.approx(0.06)
    assert picture.floor < 1e-9


def test_gap_of_a_problem_without_minimum_is_to_the_infimum(two):
    picture = Gap.of([two])
    assert picture.y_name.endswith("infimum")
    assert picture.series[0].gap == pytest.approx(two.values, rel=1e-12)


def test_norm_and_direction(two):
    picture = NormAndDirection.of([two])
    assert picture.goal == "widest margin" and picture.goal_norm is None and picture.vector == "w"
    assert picture.heading == pytest.approx(42.510, abs=1e-3)
    w = two.flat[-1, :2].numpy()
    goal = np.array([2.0, 1.0]) / math.sqrt(5)
    wanted = np.degrees(np.arccos(w @ goal / np.linalg.norm(w)))
    assert picture.turnings[0].degrees[-1] == pytest.approx(wanted, rel=1e-6)
    assert picture.turnings[0].norm[-1] == pytest.approx(np.linalg.norm(w))
    assert len(picture.turnings[0].norm) == 200  # all but the zero start


def test_direction_of_one_column_counts_the_bias():
    path = cases.descend(cases.fahrenheit(), 0.1, 50, batch=1)
    picture = NormAndDirection.of([path])
    assert picture.vector == "(w, b)"
    w, b = path.last().flat().tolist()
    turned = abs(math.degrees(math.atan2(b, w) - math.atan2(-65, 2)))
    assert picture.turnings[0].degrees[-1] == pytest.approx(turned, rel=1e-6)


def test_coefficients_and_their_intervals(line):
    picture = Coefficients.of(line)
    X, y = xy(line.objective)
    A = np.c_[X, np.ones(len(X))]
    best, rss = np.linalg.lstsq(A, y, rcond=None)[:2]
    error = np.sqrt(np.diag(np.linalg.inv(A.T @ A)) * rss[0] / (len(X) - 2))
    t = 2.0017174841452352  # the 97.5 % point of Student's t with 58 degrees of freedom
    assert picture.optimum == pytest.approx(best, rel=1e-6)
    assert picture.low == pytest.approx(best - t * error, rel=1e-6)
    assert picture.high == pytest.approx(best + t * error, rel=1e-6)
    assert picture.trained == line.last().flat().tolist() and picture.names == ["weight w", "bias b"]


def test_coefficients_of_unlike_columns_are_for_one_standard_deviation():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3)) * np.array([1.0, 1000.0, 0.01])
    problem = cases.objective(X, (X[:, 0] + rng.normal(size=80) > 0).astype(int), "logistic", L2(0.01))
    picture = Coefficients.of(sl.show.trajectory([optimum_of(problem).weights], problem))
    assert picture.per == "standard deviation" and picture.low is None and "penalised" in picture.subtitle
    assert picture.optimum[:3] == pytest.approx(optimum_of(problem).weights.coef.numpy() * X.std(0), rel=1e-9)


def test_intervals_are_in_the_units_of_the_coefficients(line):
    plain, spread = Coefficients.of(line, "unit"), Coefficients.of(line, "standard deviation")
    X, _ = xy(line.objective)
    factor = [X[:, 0].std(), 1.0]
    for field in ("trained", "optimum", "low", "high"):
        wanted = [v * f for v, f in zip(getattr(plain, field), factor)]
        assert getattr(spread, field) == pytest.approx(wanted, rel=1e-12)


def test_many_coefficients_are_those_farthest_off():
    rng = np.random.default_rng(0)
    problem = cases.objective(rng.normal(size=(200, 40)), rng.normal(size=200), "squared")
    picture = Coefficients.of(sl.show.trajectory([problem.zeros()], problem))
    size = sorted(optimum_of(problem).weights.flat().abs().tolist(), reverse=True)
    assert picture.left_out == 17 and min(abs(v) for v in picture.optimum) == pytest.approx(size[23])


# ------------------------------------------------------------------------------------- curvature, gradient noise


def test_curvatures_and_progress_of_gradient_descent_on_a_quadratic():
    path = cases.descend(cases.line(), 0.05, 20, START, factor=2.0)
    picture = Curvature.of(path)
    X, _ = xy(path.objective)
    A = np.c_[X, np.ones(len(X))]
    values = np.linalg.eigvalsh(2 * A.T @ A / len(A))  # nn.MSELoss is not halved
    assert picture.curvature == pytest.approx(values, rel=1e-10)
    assert pytest.approx(values[-1], rel=1e-10) == picture.L
    assert picture.to_go == pytest.approx(np.abs(1 - 0.05 * values) ** 20, rel=1e-5)
    assert picture.condition == pytest.approx(values[-1] / values[0], rel=1e-9)
    assert picture.limit == 40 and picture.plain
    # What the picture says is needed is so: at that many steps 1 % is left, one step before more.
    reached = Curvature.of(cases.descend(cases.line(), 0.05, picture.needed, START, factor=2.0)).to_go
    before = Curvature.of(cases.descend(cases.line(), 0.05, picture.needed - 1, START, factor=2.0)).to_go
    assert max(reached) <= 0.01 < max(before)


def test_curvatures_of_iris_are_those_of_the_reference(iris):
    """Eigenvalues 2.5e-4 to 1.544, condition 6134, 2/L = .1305 (issue 3, founding case 5)."""
    picture = Curvature.of(iris)
    assert picture.curvature[-1] == pytest.approx(1.544, abs=5e-4) and picture.condition == pytest.approx(6134, abs=1)
    assert pytest.approx(0.1305, abs=5e-5) == 2 / picture.L
    X, _ = xy(iris.objective)
    p = 1 / (1 + np.exp(-X @ iris.optimum.weights.coef.numpy()))
    values, vectors = np.linalg.eigh(X.T @ (X * (p * (1 - p))[:, None]) / len(X))
    best = iris.optimum.weights.coef.numpy()
    first, last = ((w.coef.numpy() - best) @ vectors for w in (iris.weights[0], iris.last()))
    assert picture.to_go == pytest.approx(np.abs(last / first), rel=1e-5)


def test_softmax_curvatures_are_those_of_autograd():
    problem = cases.three_classes(penalty=L2(0.1))
    weights = optimum_of(problem).weights
    values, vectors = eigen_directions(problem, weights)
    X = torch.from_numpy(xy(problem)[0])
    y = problem.data.y

    def value(flat):
        w = flat.reshape(3, 3)
        loss = torch.nn.functional.cross_entropy(X @ w[:, :2].T + w[:, 2], y)
        return loss + 0.05 * w[:, :2].square().sum()

    H = torch.autograd.functional.hessian(value, weights.flat())
    P = torch.kron(torch.eye(3).double() - 1 / 3, torch.eye(3).double())
    assert values.tolist() == pytest.approx(torch.linalg.eigvalsh(P @ H @ P).clamp(min=0).tolist(), abs=1e-12)
    assert torch.allclose(P @ H @ P @ vectors, vectors * values, atol=1e-12)
    assert largest_anywhere(problem) >= float(torch.linalg.eigvalsh(H)[-1])


def test_batch_gradients_are_those_of_autograd(line):
    X, y = (torch.from_numpy(v) for v in xy(line.objective))
    picture = GradientNoise.of(line, (1, 10), step=5)
    w = line.weights[5].flat().clone().requires_grad_()

    def gradient(rows):
        loss = (X[rows, 0] * w[0] + w[1] - y[rows]).square().mean()
        return torch.autograd.grad(loss, w)[0]

    wanted = torch.stack([gradient(slice(i, i + 10)) for i in range(0, 60, 10)])
    assert np.allclose(np.c_[picture.batches[1].x, picture.batches[1].y], wanted)
    full = gradient(slice(None))
    assert picture.full == pytest.approx(full.tolist()) and not picture.across_full
    assert picture.batches[1].uphill == pytest.approx(float((wanted @ full < 0).double().mean()))
    assert picture.batches[1].spread == pytest.approx(float((wanted - full).square().sum(1).mean().sqrt()))
    assert len(picture.batches[0].x) == 60 and picture.batches[0].spread > picture.batches[1].spread


def test_noise_of_many_weights_lies_along_and_across_the_full_gradient(iris):
    picture = GradientNoise.of(iris)
    rows = row_gradients(iris.objective, iris.last())
    full = rows.mean(0)
    assert picture.full == pytest.approx([float(full.norm()), 0.0], abs=1e-12) and picture.across_full
    along = torch.stack([part.mean(0) for part in rows.split(33)]) @ full / full.norm()
    assert picture.batches[0].x == pytest.approx(along.tolist())
    assert 0 < picture.share <= 1
    best = replace(iris, weights=[iris.optimum.weights], steps=[0], epochs=[0.0], seconds=None)
    assert np.hypot(*GradientNoise.of(best).full) < 1e-6  # at the optimum the full gradient is zero


def test_softmax_and_penalised_gradients_are_those_of_autograd():
    problem = cases.three_classes(penalty=L2(0.3))
    weights = problem.zeros().unflat(torch.linspace(-1, 1, 9, dtype=torch.float64))
    mean = row_gradients(problem, weights).mean(0)
    assert torch.allclose(mean, problem.evaluate(weights).gradient.flat(), atol=1e-12)


# --------------------------------------------------------------------------------------- loss of score, probabilities


def test_losses_over_the_score_are_those_of_torch():
    path = cases.descend(cases.noisy("hinge"), 0.5, 50)
    picture = LossOfScore.of(path, {"logistic": "logistic", "posted": lambda z, y: -y * z + (1 - y) * z})
    x = torch.tensor(picture.curves[0].x, dtype=torch.float64)
    wanted = {
        ("hinge", "class 0"): (1 + x).clamp(min=0), ("hinge", "class 1"): (1 - x).clamp(min=0),
        ("logistic", "class 0"): torch.nn.functional.softplus(x),
        ("logistic", "class 1"): torch.nn.functional.softplus(-x),
        ("posted", "class 0"): x, ("posted", "class 1"): -x,
    }  # fmt: skip
    assert {(c.loss, c.target) for c in picture.curves} == set(wanted)
    for curve in picture.curves:
        assert curve.y == pytest.approx(wanted[curve.loss, curve.target].tolist(), abs=1e-12)
    assert picture.falls_for_ever == ["posted"] and "no minimum" in picture.title
    assert sum(sum(s.trained) for s in picture.scores) == 100 == sum(sum(s.optimum) for s in picture.scores)


def test_losses_of_numbers_and_classes_over_their_distance(line):
    picture = LossOfScore.of(line, ["huber"])
    x = torch.tensor(picture.curves[1].x, dtype=torch.float64)
    wanted = torch.nn.functional.huber_loss(x, x * 0, reduction="none", delta=1.35)
    assert picture.curves[1].y == pytest.approx(wanted.tolist())
    problem = cases.three_classes()
    path = cases.descend(problem, 0.5, 30)
    picture = LossOfScore.of(path)
    z = problem.scores(path.last())
    own = z.gather(1, problem.data.y[:, None])[:, 0] - z.scatter(1, problem.data.y[:, None], -math.inf).logsumexp(1)
    assert float(torch.nn.functional.softplus(-own).mean()) == pytest.approx(problem.value(path.last()), rel=1e-12)
    assert np.histogram(own, bins=picture.edges)[0].sum() <= sum(picture.scores[0].trained) == 60


def test_precision_and_recall_are_those_of_sklearn():
    path = cases.descend(cases.noisy("logistic"), 0.5, 50)
    picture = Probabilities.of(path, recall=0.9)
    yes = (path.objective.data.y > 0).numpy()
    p = torch.sigmoid(path.objective.scores(path.last())).numpy()
    precision, recall, threshold = precision_recall_curve(yes, p)
    assert picture.trained.recall == pytest.approx(recall[:-1][::-1])
    assert picture.trained.precision == pytest.approx(precision[:-1][::-1])
    assert picture.trained.area == pytest.approx(roc_auc_score(yes, p))
    # The threshold holds the constraint, and the next higher one does not.
    said = p >= picture.cut - 1e-12
    assert picture.at_cut == pytest.approx([said[yes].mean(), yes[said].mean()]) and picture.at_cut[0] >= 0.9
    higher = p >= threshold[threshold > picture.cut + 1e-12].min()
    assert higher[yes].mean() < 0.9
    assert picture.trained.loss == pytest.approx(-np.mean(np.log(np.where(yes, p, 1 - p))))
    assert picture.optimum.loss == pytest.approx(path.optimum.value, rel=1e-9)
    assert sum(picture.trained.negative) + sum(picture.trained.positive) == 100


def test_a_loss_without_probabilities_is_drawn_by_its_scores():
    path = cases.descend(cases.noisy("hinge"), 0.5, 50)
    picture = Probabilities.of(path)
    assert not picture.is_probability and picture.cut == 0 and picture.trained.groups == []
    z = path.objective.scores(path.last()).numpy()
    assert picture.at_cut[0] == pytest.approx((z > 0)[(path.objective.data.y > 0).numpy()].mean())


# ------------------------------------------------------------------------------------------- what may be drawn


def test_results_objectives_and_lists_can_be_drawn(line):
    X, y = xy(line.objective)
    result = sl.fit(X, y, loss="squared")
    path = trajectory(result, (X, y))
    assert path.optimum.value == pytest.approx(line.optimum.value, rel=1e-9)
    assert len(path) == len(result.trace.weights)
    assert LossSurface.of([trajectory(line.objective)]).optimum == pytest.approx([1.0064, -1.0222], abs=1e-4)
    pairs = [(np.array([[0.0]]), np.array([0.0])), (5, (np.array([[1.0]]), np.array([2.0])))]
    path = trajectory(pairs, line.objective)
    assert path.steps == [0, 5] and path.flat.tolist() == [[0, 0], [1, 2]]


def test_a_training_can_be_drawn():
    torch.manual_seed(1)
    x = torch.arange(-3, 3, 0.1)[:, None]
    y = x - 1 + 0.1 * torch.randn(x.shape)
    linear = torch.nn.Linear(1, 1)
    with torch.no_grad():
        linear.weight.fill_(-15.0)
        linear.bias.fill_(-10.0)
    training = sl.train(linear, (x, y), torch.nn.MSELoss(), sl.Recipe("sgd", lr=0.01, epochs=10, batch_size=10))
    path = trajectory(training)
    assert path.label == "SGD, lr 0.01, batch 10" and path.steps[-1] == 60 and path.epochs[-1] == 10
    assert path.factor == 2 and path.rate == pytest.approx(0.01) and path.batch == 10
    # In the units of nn.MSELoss, as the training's own sentence.
    assert path.values[-1] == pytest.approx(2 * training.trace.value[-1], rel=1e-9)
    assert Gap.of([path]).series[0].gap[-1] == pytest.approx(2 * training.trace.gap[-1], rel=1e-5)


def test_the_batches_of_a_loader_are_known():
    rows = torch.utils.data.TensorDataset(torch.randn(25, 2), torch.randn(25, 1))
    loader = torch.utils.data.DataLoader(rows, batch_size=10)
    training = sl.train(torch.nn.Linear(2, 1), loader, torch.nn.MSELoss(), sl.Recipe("sgd", lr=0.01, epochs=4))
    path = trajectory(training)
    assert path.batch == 0 and not Curvature.of(path).plain  # fewer rows than all, but not known how many
    with pytest.raises(sl.show.PictureError, match="not recorded"):
        GradientNoise.of(path)
    assert GradientNoise.of(path, 10).batches[0].size == 10
    whole = sl.train(torch.nn.Linear(2, 1), rows, torch.nn.MSELoss(), sl.Recipe("sgd", lr=0.01, epochs=4))
    assert trajectory(whole).batch is None


def test_long_trainings_on_many_rows_are_thinned(monkeypatch):
    monkeypatch.setattr("sightline.show.trajectories.WORK", 60 * 70)
    x = torch.arange(60.0)[:, None] / 60
    training = sl.train(torch.nn.Linear(1, 1), (x, x), torch.nn.MSELoss(), sl.Recipe("sgd", lr=0.1, epochs=500))
    path = trajectory(training)
    assert len(path) <= 70 and path.steps[0] == 0 and path.steps[-1] == 500 and path.steps == sorted(set(path.steps))


def test_weight_decay_of_the_bias_is_part_of_the_surface():
    """Two points with ``weight_decay=0.2``: w = (.5942, -.0126), b = -.6195 (issue 3, founding case 3)."""
    X, y = torch.tensor([[3.0, 2.0], [1.0, 1.0]]), torch.tensor([[1.0], [0.0]])
    recipe = sl.Recipe("sgd", lr=0.1, epochs=50, weight_decay=0.2, start="zeros")
    path = trajectory(sl.train(torch.nn.Linear(2, 1), (X, y), torch.nn.BCEWithLogitsLoss(), recipe))
    assert path.optimum.weights.flat().tolist() == pytest.approx([0.5942, -0.0126, -0.6195], abs=2e-4)
    picture = LossSurface.of([path])
    assert picture.lowest <= np.asarray(picture.value).min() + 1e-9
    assert DataSpace.of(path).optimum and "27.8° from" not in DataSpace.of(path).title


def test_labels_say_what_distinguishes_recipes():
    assert recipe_label(sl.Recipe("sgd", lr=0.1, momentum=0.9, nesterov=True)) == "SGD, lr 0.1, Nesterov momentum 0.9"
    assert recipe_label(sl.Recipe(torch.optim.AdamW, lr=0.01, batch_size=33)) == "AdamW, lr 0.01, batch 33"
    assert recipe_label(sl.Recipe("adam", weight_decay=0.5)) == "Adam, decay 0.5"
    decayed = sl.Recipe("sgd", lr=0.1, weight_decay=0.2, decay="weights")
    assert recipe_label(decayed) == "SGD, lr 0.1, decay 0.2 on weights"
    made = torch.optim.SGD(torch.nn.Linear(2, 1).parameters(), lr=0.3, momentum=0.5)
    assert recipe_label(sl.Recipe(made)) == "SGD, lr 0.3, momentum 0.5"


def test_every_picture_is_plain_values(line, iris, two):
    noisy = cases.descend(cases.noisy("logistic"), 0.5, 20)
    pictures = [
        LossSurface.of([iris]), LossSurface.of([two]), DataSpace.of(two), Gap.of([line]), NormAndDirection.of([two]),
        Coefficients.of(iris), Curvature.of(iris), GradientNoise.of(iris), LossOfScore.of(noisy),
        Probabilities.of(noisy), ParameterAndData.of(line),
        LossSurface.of([cases.descend(cases.line(), 50.0, 400, START, factor=2.0)]),
    ]  # fmt: skip
    for picture in pictures:
        record = json.loads(json.dumps(picture.as_dict(), allow_nan=False))
        assert record["kind"] == picture.kind and record["title"] and record["alternative"]


def test_a_coarse_grid_is_filled_in_smoothly():
    xs, ys = np.linspace(-1, 2, 15), np.linspace(0, 3, 15)

    def height(x, y):
        return np.logaddexp(0, x[None, :] - 2 * y[:, None]) + 0.1 * y[:, None] ** 2

    x, y, found = filled_in(xs, ys, height(xs, ys))
    assert found.shape == (29, 29) and np.array_equal(found[::2, ::2], height(xs, ys))
    assert np.abs(found - height(x, y)).max() < 5e-3  # where the least lies between the points, more than elsewhere
    assert found.min() == height(xs, ys).min()
    walled = height(xs, ys)
    walled[3, 4] = np.inf
    assert filled_in(xs, ys, walled)[2] is walled
    fine = np.linspace(0, 1, 25)
    assert filled_in(fine, fine, height(fine, fine))[0] is fine
