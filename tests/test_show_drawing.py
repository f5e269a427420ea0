"""How the pictures are drawn: what is in them, that their words fit, and that they leave nothing behind."""

from __future__ import annotations

import base64
import gc
import io
import re
import subprocess
import sys
import weakref
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
import pytest
import show_cases as cases
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

import sightline as sl
from sightline import show
from sightline.show import canvas
from sightline.show.picture import PictureError, number, percent
from sightline.show.themes import DARK, LIGHT, THEMES

START = [-15.0, -10.0]


@pytest.fixture(scope="module")
def runs() -> dict[str, Any]:
    long = {"objective": cases.iris(), "start": [0.5, -1.0, 2.0, 0.3, 0.0]}
    return {
        "line": cases.descend(cases.line(), 0.01, 60, START, batch=10, factor=2.0, label="SGD, lr 0.01, batch 10"),
        "line 5": cases.descend(cases.line(), 0.01, 120, START, batch=5, factor=2.0, label="SGD, lr 0.01, batch 5"),
        "iris": cases.descend(long["objective"], 0.1, 300, long["start"], batch=33, label="SGD, lr 0.1, batch 33"),
        "petals": cases.descend(cases.iris_two_columns(), 0.1, 300, batch=33, label="SGD, lr 0.1, batch 33"),
        "two": cases.descend(cases.two_points(), 0.1, 100, label="SGD, lr 0.1"),
        "fahrenheit": cases.descend(cases.fahrenheit(), 0.1, 600, batch=1, label="SGD, lr 0.1, batch 1"),
        "noisy": cases.descend(cases.noisy("logistic"), 0.5, 100, label="SGD, lr 0.5"),
        "hinge": cases.descend(cases.noisy("hinge"), 0.5, 100, label="SGD, lr 0.5"),
        "classes": cases.descend(cases.three_classes(), 0.5, 100, label="SGD, lr 0.5"),
    }


Draw = Callable[..., Any]
PICTURES: dict[str, Callable[[dict[str, Any]], Draw]] = {
    "loss_surface": lambda r: lambda **o: show.loss_surface(r["line"], **o),
    "loss_surface, slice": lambda r: lambda **o: show.loss_surface(r["iris"], **o),
    "loss_surface, no optimum": lambda r: lambda **o: show.loss_surface(r["fahrenheit"], **o),
    "loss_surface_3d": lambda r: lambda **o: show.loss_surface_3d(r["line"], **o),
    "loss_surface_3d, slice": lambda r: lambda **o: show.loss_surface_3d(r["iris"], log=True, **o),
    "race": lambda r: lambda **o: show.race(r["line"], r["line 5"], **o),
    "decision_boundary": lambda r: lambda **o: show.decision_boundary(r["petals"], **o),
    "decision_boundary, two points": lambda r: lambda **o: show.decision_boundary(r["two"], **o),
    "decision_boundary, one column": lambda r: lambda **o: show.decision_boundary(r["fahrenheit"], **o),
    "decision_boundary, classes": lambda r: lambda **o: show.decision_boundary(r["classes"], **o),
    "fitted_line": lambda r: lambda **o: show.fitted_line(r["line"], **o),
    "gap": lambda r: lambda **o: show.gap(r["line"], r["line 5"], **o),
    "gap, infimum": lambda r: lambda **o: show.gap(r["two"], against="steps", **o),
    "norm_and_direction": lambda r: lambda **o: show.norm_and_direction(r["iris"], **o),
    "norm_and_direction, no optimum": lambda r: lambda **o: show.norm_and_direction(r["two"], **o),
    "coefficients": lambda r: lambda **o: show.coefficients(r["iris"], **o),
    "coefficients, many": lambda r: lambda **o: show.coefficients(r["noisy"], **o),
    "curvature": lambda r: lambda **o: show.curvature(r["iris"], **o),
    "curvature, no optimum": lambda r: lambda **o: show.curvature(r["two"], **o),
    "gradient_noise": lambda r: lambda **o: show.gradient_noise(r["line"], batch_size=(1, 10), **o),
    "gradient_noise, slice": lambda r: lambda **o: show.gradient_noise(r["iris"], **o),
    "loss_of_score": lambda r: lambda **o: show.loss_of_score(r["hinge"], losses=("logistic",), **o),
    "loss_of_score, numbers": lambda r: lambda **o: show.loss_of_score(r["line"], **o),
    "probabilities": lambda r: lambda **o: show.probabilities(r["noisy"], recall=0.9, **o),
    "calibration": lambda r: lambda **o: show.calibration(r["noisy"], **o),
    "precision_recall": lambda r: lambda **o: show.precision_recall(r["noisy"], recall=0.9, **o),
    "parameter_and_data": lambda r: lambda **o: show.parameter_and_data(r["line"], **o),
    "parameter_and_data, two points": lambda r: lambda **o: show.parameter_and_data(r["two"], **o),
}
WITHOUT_OPTIMUM = {n for n in PICTURES if "no optimum" in n or "two points" in n or "one column" in n}


@pytest.fixture(scope="module")
def drawn(runs) -> Callable[[str, str], Any]:
    """Each picture in each theme, drawn once."""
    done: dict[tuple[str, str], Any] = {}

    def get(name: str, theme: str = "light") -> Any:
        if (name, theme) not in done:
            before = dict(matplotlib.rcParams)
            done[name, theme] = PICTURES[name](runs)(theme=theme)
            canvas.png(first(done[name, theme]).figure)
            assert dict(matplotlib.rcParams) == before
            pyplot = sys.modules.get("matplotlib.pyplot")
            assert pyplot is None or pyplot.get_fignums() == []
        return done[name, theme]

    return get


def first(axes: Any) -> Any:
    return axes[0] if isinstance(axes, tuple) else axes


def words_of(figure: Figure) -> list[tuple[str, Any]]:
    """Every visible text but those of ticks, with its extent in pixels."""
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    axes = [axis for ax in figure.axes for axis in ax.get_children() if hasattr(axis, "majorTicks")]
    ticks = [tick for axis in axes for tick in (*axis.majorTicks, *axis.minorTicks)]
    others = {label for tick in ticks for label in (tick.label1, tick.label2)}
    others |= {axis.get_offset_text() for axis in axes}
    words = [t for t in figure.findobj(matplotlib.text.Text) if t.get_visible() and t.get_text().strip()]
    return [(t.get_text(), t.get_window_extent(renderer)) for t in words if t not in others]


def tick_words(ax: Any) -> list[list[tuple[str, Any]]]:
    """The drawn tick labels of each axis of an Axes, in their order, with their extents."""
    renderer = ax.figure.canvas.get_renderer()
    groups = []
    for name in ("x", "y", "z")[: 3 if hasattr(ax, "zaxis") else 2]:
        low, high = sorted(getattr(ax, f"get_{name}lim")())
        # As they were drawn: asking for labels anew would move those of three dimensions.
        ticks = getattr(ax, f"{name}axis").majorTicks
        shown = [tick.label1 for tick in ticks if low <= tick.get_loc() <= high]
        shown = [t for t in shown if t.get_visible() and t.get_text()]
        groups.append([(t.get_text(), t.get_window_extent(renderer)) for t in shown])
    return groups


@pytest.mark.parametrize("theme", list(THEMES))
@pytest.mark.parametrize("name", list(PICTURES))
def test_words_fit_at_600_pixels(drawn, name, theme):
    figure = first(drawn(name, theme)).figure
    assert figure.get_figwidth() * figure.dpi == 600
    width, height = figure.canvas.get_width_height()
    for text, box in words_of(figure):
        assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1, (text, box)
    for one in figure.axes:
        for labels in tick_words(one):
            for (a, box), (b, other) in zip(labels, labels[1:]):
                assert not box.shrunk(0.96, 0.9).overlaps(other), f"{a!r} overlaps {b!r}"
            for text, box in labels:
                assert box.x0 >= -1 and box.x1 <= width + 1 and box.y0 >= -1 and box.y1 <= height + 1, (text, box)


@pytest.mark.parametrize("name", list(PICTURES))
def test_names_of_axes_title_and_legend_are_apart(drawn, name):
    ax = drawn(name)
    figure = first(ax).figure
    renderer = figure.canvas.get_renderer()
    one = first(ax)
    boxes = {"title": one.sightline_heading, "name of x": one.xaxis.label, "name of y": one.yaxis.label}
    legends = [*figure.legends, *([one.get_legend()] if one.get_legend() else [])]
    assert legends
    boxes |= {f"legend {i}": legend for i, legend in enumerate(legends)}
    boxes["subtitle"] = one.sightline_subtitle
    assert boxes["subtitle"].get_visible() and boxes["title"].get_visible()
    extents = {k: v.get_window_extent(renderer) for k, v in boxes.items() if getattr(v, "get_text", lambda: "x")()}
    names = list(extents)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            if {a, b} != {"name of x", "name of y"} or not hasattr(one, "zaxis"):
                assert not extents[a].overlaps(extents[b]), f"{a} overlaps {b}"
    assert one.get_xlabel() and (one.get_ylabel() or name.startswith(("coefficients", "curvature, no")))


@pytest.mark.parametrize("name", [n for n in PICTURES if n not in WITHOUT_OPTIMUM])
def test_the_optimum_is_drawn_where_it_exists(drawn, name):
    figure = first(drawn(name)).figure
    stars = [line for ax in figure.axes for line in ax.get_lines() if line.get_marker() == "*"]
    names = [text.get_text() for ax in figure.axes for text in ax.findobj(matplotlib.text.Text)]
    names += [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert stars or name.startswith(("loss_of_score", "probabilities"))
    assert any("optimum" in text or "infimum" in text for text in names)


def test_the_star_lies_at_the_optimum(runs):
    best = runs["line"].optimum.weights.flat().tolist()
    for draw in (show.loss_surface, show.loss_surface_3d):
        ax = draw(runs["line"])
        (star,) = [line for line in ax.get_lines() if line.get_marker() == "*"]
        at = star.get_data_3d() if draw is show.loss_surface_3d else star.get_data()  # type: ignore[attr-defined]
        assert [float(v[0]) for v in at[:2]] == pytest.approx(best)


def test_contours_are_lowest_at_the_optimum(runs):
    """What is drawn, not only its data: the innermost contour encloses the optimum and no other."""
    ax = show.loss_surface(runs["line"])
    lines = [c for c in ax.collections if type(c).__name__ == "QuadContourSet" and not c.filled]
    inner = next(path for path in lines[0].get_paths() if len(path.vertices))
    assert inner.contains_point(runs["line"].optimum.weights.flat().tolist())
    mirrored = runs["line"].optimum.weights.flat().tolist()
    assert not inner.contains_point([mirrored[0], -mirrored[1]])


@pytest.mark.parametrize("name", ["loss_surface", "loss_surface_3d", "parameter_and_data"])
def test_figures_are_gone_when_nobody_holds_them(runs, name):
    ax = PICTURES[name](runs)()
    canvas.png(first(ax).figure)
    gone = weakref.ref(first(ax).figure)
    del ax
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("name", ["loss_surface", "gap", "decision_boundary", "probabilities"])
def test_other_settings_do_not_change_the_pictures(runs, name):
    plain = canvas.png(first(PICTURES[name](runs)()).figure)
    other = {"axes.facecolor": "red", "axes.grid": True, "lines.linewidth": 9, "font.size": 20, "axes.labelsize": 20}
    with matplotlib.rc_context(other):
        assert canvas.png(first(PICTURES[name](runs)()).figure) == plain


@pytest.mark.parametrize("name", list(PICTURES))
def test_alternative_text_has_the_numbers(drawn, name):
    text = show.alt_text(drawn(name))
    assert len(text) > 60 and re.search(r"\d", text) and "nan" not in text.lower().split()


def test_axes_of_others_are_drawn_in_and_returned(runs):
    figure = Figure(figsize=(9, 4), facecolor="#000000")
    left, right = figure.subplots(1, 2)
    left.set_facecolor("#101010")
    assert show.gap(runs["line"], ax=left) is left and show.decision_boundary(runs["petals"], ax=right) is right
    # The theme is that of the background: light words on the dark Axes, dark ones on the white.
    assert left.xaxis.label.get_color() == DARK.ink and right.xaxis.label.get_color() == LIGHT.ink
    canvas.png(figure)
    pair = show.parameter_and_data(runs["line"], ax=tuple(Figure().subplots(1, 2)))
    assert pair.parameter.get_xlabel() == "weight w" and pair.data.get_ylabel() == "y"
    with pytest.raises(ValueError, match="projection='3d'"):
        show.loss_surface_3d(runs["line"], ax=left)


def test_names_with_signs_of_mathematics_are_shown_as_they_are():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 2))
    y = np.where(X[:, 0] + rng.normal(size=30) > 0, "$\\frac", "_no$")
    problem = cases.objective(X, y, "logistic", columns=["$x_1^", "price $ and $"])
    path = cases.descend(problem, 0.5, 20, label="_mine, $\\alpha")
    for draw in (show.coefficients, show.decision_boundary, show.loss_surface, show.probabilities, show.gap):
        ax = draw(path)
        canvas.png(ax.figure)
    assert "price $ and $" in [t.get_text() for t in show.coefficients(path).get_yticklabels()]
    assert "_mine, $\\alpha" in [t.get_text().strip() for t in show.gap(path).get_legend().get_texts()]


def test_themes(runs):
    with show.theme("dark") as dark:
        assert dark is DARK
        assert show.gap(runs["line"]).figure.get_facecolor() == matplotlib.colors.to_rgba(DARK.page)
        assert show.gap(runs["line"], theme="light").figure.get_facecolor() == (1, 1, 1, 1)
    assert show.gap(runs["line"]).figure.get_facecolor() == (1, 1, 1, 1)
    with pytest.raises(ValueError, match="choose 'light' or 'dark'"):
        show.gap(runs["line"], theme="solarized")


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_colours_of_words_stand_out(theme):
    def luminance(color: str) -> float:
        parts = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in matplotlib.colors.to_rgb(color)]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    def contrast(a: str, b: str) -> float:
        high, low = sorted((luminance(a), luminance(b)), reverse=True)
        return (high + 0.05) / (low + 0.05)

    assert contrast(theme.ink, theme.page) > 12 and contrast(theme.soft, theme.page) > 4.5  # WCAG 2.1, 1.4.3
    for color in (*theme.series[:3], theme.low, theme.high, theme.alarm, theme.dark):
        assert contrast(color, theme.page) > 3  # WCAG 2.1, 1.4.11
    steps = [luminance(c) for c in theme.surface]
    assert steps == sorted(steps) or steps == sorted(steps, reverse=True)  # the order is there without colour


def test_series_differ_by_dash_and_marker_too(runs):
    ax = show.gap(runs["line"], runs["line 5"])
    curves = [line for line in ax.get_lines() if len(line.get_xdata()) > 2]
    assert len({line.get_marker() for line in curves}) == len({str(line._dash_pattern) for line in curves}) == 2


# ------------------------------------------------------------------------------------------- files and notebooks


def test_saved_files_carry_their_words(runs, tmp_path):
    ax = show.gap(runs["line"])
    told = show.alt_text(ax)
    with Image.open(show.save(ax, tmp_path / "gap.png")) as image:
        assert image.size[0] == 600 and image.info["Description"] == told and "optimum" in image.info["Title"]
    svg = show.save(show.gap(runs["line"]), tmp_path / "gap.svg").read_text(encoding="utf-8")
    assert 'role="img"' in svg and f'<desc id="desc">{told}</desc>' in svg
    assert svg == show.save(show.gap(runs["line"]), tmp_path / "again.svg").read_text(encoding="utf-8")
    assert show.save(ax, tmp_path / "gap.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(ValueError, match="must end in"):
        show.save(ax, tmp_path / "gap.jpg")
    with pytest.raises(ValueError, match="no picture"):
        show.alt_text(Figure().subplots())


def test_notebooks_show_axes(runs):
    for ax in (show.gap(runs["line"]), show.loss_surface_3d(runs["line"]), show.parameter_and_data(runs["line"])):
        with Image.open(io.BytesIO(ax._repr_png_())) as image:
            assert image.size[0] == 600
    assert isinstance(show.gap(runs["line"]), Axes)


def test_animations(runs, tmp_path):
    place = show.animate(runs["line"], path=tmp_path / "line.gif", frames=6, fps=4)
    with Image.open(place) as image:
        assert image.n_frames == 6  # Pillow joins the equal frames at the end into one that stays
        image.seek(0)
        begin = np.asarray(image.convert("RGB")).copy()
        assert image.info["duration"] == 250
        image.seek(5)
        assert image.info["duration"] > 1000
        assert (np.asarray(image.convert("RGB")) != begin).any()
    place = show.animate(runs["two"], path=tmp_path / "two.html", picture="decision_boundary", frames=5)
    html = place.read_text("utf-8")
    frames = re.search(r"frames=\[(.*?)\]", html, re.S).group(1).split(",")
    assert len(frames) == 5 and "http" not in html and "widest margin" in html
    for frame in frames:
        with Image.open(io.BytesIO(base64.b64decode(frame.strip('"')))) as image:
            assert image.size[0] == 600
    small = {"path": tmp_path / "a.gif", "frames": 2, "dpi": 40}
    for picture, sources in (("race", ["line", "line 5"]), ("loss_surface", ["iris"]), ("fitted_line", ["line"])):
        assert show.animate(*(runs[s] for s in sources), picture=picture, **small).exists()
    for words, options in (("must end in", {"path": "a.mp4"}), ("does not move", {"path": "a.gif", "picture": "gap"}),
                           ("use the other", {"path": "a.gif", "picture": "decision_boundary"}),
                           ("frames must be", {"path": "a.gif", "frames": 1})):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            show.animate(runs["line"], **options)


def test_without_matplotlib_the_data_are_there_and_drawing_says_what_to_install():
    code = """
import sys
sys.modules["matplotlib"] = None
sys.path.insert(0, "tests")
import show_cases as cases
import sightline as sl
from sightline.show.pictures.gap import Gap
path = cases.descend(cases.two_points(), 0.1, 5)
assert Gap.of([path]).as_dict()["title"]
try:
    sl.show.gap(path)
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'sightline[plot]'" in done.stdout


# ----------------------------------------------------------------------------------------------------- bad input


def test_what_is_missing_is_said(runs):
    X, y = np.arange(6.0)[:, None], np.array([0, 1, 0, 1, 1, 0])
    result = sl.fit(X, y, loss="logistic")
    one = cases.objective(X, np.arange(6.0), "squared", intercept=False)
    wide = cases.objective(np.eye(4), np.arange(4.0), "squared")
    cases_of = [
        (lambda: show.gap(result), r"data=\(X, y\)"),
        (lambda: show.gap(result, data=5), "pair"),
        (lambda: show.gap([result.weight]), "data=Objective"),
        (lambda: show.gap(3), "int cannot be drawn"),
        (lambda: show.gap(one), "needs the steps"),
        (lambda: show.gap(runs["line"], against="weeks"), "steps, epochs, seconds"),
        (lambda: show.loss_surface(one), "needs two weights"),
        (lambda: show.loss_surface(wide), "5 weights"),
        (lambda: show.race(runs["line"], runs["two"]), "other rows"),
        (lambda: show.race(*[runs["line"]] * 7), "at most 6"),
        (lambda: show.decision_boundary(runs["iris"]), r"columns=\(0, 1\)"),
        (lambda: show.decision_boundary(runs["iris"], columns=("leaf", 1)), "no column 'leaf'"),
        (lambda: show.decision_boundary(runs["line"]), "fitted_line"),
        (lambda: show.fitted_line(runs["petals"]), "decision_boundary"),
        (lambda: show.curvature(runs["hinge"]), "no curvature"),
        (lambda: show.gradient_noise(runs["two"]), "batch_size="),
        (lambda: show.gradient_noise(runs["line"], batch_size=61), "from 1 to the 60 rows"),
        (lambda: show.loss_of_score(runs["line"], losses=("hinge",)), "other targets"),
        (lambda: show.loss_of_score(runs["line"], losses={"mean": lambda z, y: (z - y).mean()}), "reduction='none'"),
        (lambda: show.probabilities(runs["classes"]), "two classes"),
        (lambda: show.probabilities(runs["noisy"], recall=90), "share"),
        (lambda: show.calibration(runs["hinge"]), "gives none"),
        (lambda: show.coefficients(runs["line"], per="metre"), "standard deviation"),
    ]
    for draw, words in cases_of:
        with pytest.raises(PictureError, match=words):
            draw()
    with pytest.raises(AttributeError, match="loss_surface, loss_surface_3d"):
        show.losssurface


def test_a_module_that_is_not_linear_has_no_problem_to_draw():
    import torch

    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    X, y = torch.randn(8, 2), torch.rand(8, 1)
    training = sl.train(module, (X, y), torch.nn.MSELoss(), sl.Recipe("sgd", lr=0.01, epochs=2))
    with pytest.raises(PictureError, match="no convex problem"):
        show.loss_surface(training)


def test_numbers_in_words():
    assert [number(v) for v in (0.0, -1.5, 1234.5, 0.05, 4e-7, 2e9, float("inf"), 100.0)] == [
        "0", "−1.5", "1,234" if number(1234.5) == "1,234" else "1,235", "0.05", "4.0e−7", "2.0e9", "∞", "100",
    ]  # fmt: skip
    assert [percent(v) for v in (0, 1, 0.5, 0.999, 0.99999, 1e-5)] == [
        "0 %", "100 %", "50 %", "99.9 %", "more than 99.9 %", "less than 0.1 %",
    ]  # fmt: skip
    assert isinstance(Line2D, type)
