"""The replay page: what is in it equals the training, stays small, needs nothing else; its script computes the same."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import shutil
import subprocess
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pytest
import torch
from show_page_cases import ALL, FOUNDING, listed, page_of, training
from torch import nn

import sightline as sl
from sightline.recipes import Recipe, train
from sightline.show.page import SCRIPTS, embedded, page, report
from sightline.show.picture import PictureError
from sightline.show.replay_frames import MOST_FRAMES, thinned
from sightline.show.replay_space import EXACT

EMPTY = {"meta", "path", "rect", "circle", "input", "br"}
NODE = shutil.which("node")


class Reader(HTMLParser):
    """Elements in their order, every one closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.script = self.style = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        elif not self.open or self.open[-1] != "script":
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.found if name == tag]


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def data_of(html: str) -> dict:
    found = re.search(r'<script type="application/json" id="replay">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def near(found: list, wanted: list, digits: float = 1e-5) -> None:
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        if a is None:
            assert b is None or not math.isfinite(b)
        else:
            assert a == pytest.approx(b, rel=digits, abs=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_small_and_alone(name):
    html = page_of(name)
    assert len(html.encode()) < 300_000
    assert not re.search(r"https?://|url\(|@import|//cdn", html)
    reader = read(html)
    for tag, attrs in reader.found:
        assert tag not in ("link", "img", "iframe", "object", "embed"), tag
        assert not {"src", "href", "srcset", "data"} & set(attrs), (tag, attrs)
        assert not any(key.startswith("on") for key in attrs), (tag, attrs)


@pytest.mark.parametrize("name", ["line", "bent"])
def test_only_its_own_script_may_run(name):
    html = page_of(name)
    policy = next(a["content"] for a in read(html).all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    script = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert len(script) == 1
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


@pytest.mark.parametrize("name", ALL)
def test_curves_and_frames_equal_the_trace(name):
    trace, found = training(name).trace, data_of(page_of(name))
    f = found["frames"]
    place = {step: i for i, step in enumerate(trace.step)}
    points, frames = [place[s] for s in f["points"]], [place[s] for s in f["step"]]
    assert frames[0] == 0 and frames[-1] == len(trace.step) - 1
    assert len(frames) <= MOST_FRAMES
    assert [f["points"][i] for i in f["at"]] == f["step"]
    minimised = training(name).minimised
    factor = 1.0 if minimised is None else minimised.factor  # from the objective's units to the recipe's
    for key, values in (("loss", trace.loss), ("gap", [factor * g for g in trace.gap]), ("batch", trace.batch_loss)):
        near(f[key], [values[i] for i in points])
    near(f["epoch"], [trace.epoch[i] for i in frames])
    near(f["rate"], [trace.learning_rate[i] for i in frames])


@pytest.mark.parametrize("name", ["fahrenheit", "two_points", "line", "petals", "decayed"])
def test_weights_of_each_frame(name):
    result, found = training(name), data_of(page_of(name))
    known = dict(result.trace.weights)
    for step, flat in zip(found["frames"]["step"], found["weights"], strict=True):
        near(flat, known[step].flat().tolist())


@pytest.mark.parametrize("name", ["noisy", "iris", "three_irises", "several_targets"])
def test_scores_of_each_frame(name):
    result, found = training(name), data_of(page_of(name))
    known = dict(result.trace.weights)
    told = found["scores"]
    X = result.X.double()
    index = torch.arange(len(X))
    if len(X) > 240:
        index = torch.randperm(len(X), generator=torch.Generator().manual_seed(0))[:240].sort().values
    base, basis = np.array(told["base"], dtype=float), np.array(told["basis"], dtype=float)
    wanted = torch.stack([(X[index] @ known[s].coef + known[s].intercept).reshape(-1) for s in found["frames"]["step"]])
    drawn = base + np.array(told["coordinates"], dtype=float) @ basis
    extent = float(wanted.max() - wanted.min())
    off = float(np.abs(drawn - wanted.numpy()).max()) / extent
    said = re.search(r"drawn to within ([\d.]+) %", page_of(name))
    assert off <= (1.5 * float(said[1]) / 100 if said else 5 * EXACT)


def test_surface_is_the_objective():
    result, s = training("line"), data_of(page_of("line"))["surface"]
    objective = result.objective
    xs, ys = (np.linspace(*s[axis], len(s["z"])) for axis in "xy")
    for i, j in ((0, 0), (10, 40), (25, 25), (50, 50)):
        weights = sl.Weights(torch.tensor([xs[j]]), torch.tensor(ys[i]))
        assert s["z"][i][j] == pytest.approx(2 * objective.value(weights), rel=6e-5)  # MSELoss is not halved
    assert s["share"] is None and s["optimum"] == pytest.approx([1.0064, -1.0222], abs=1e-3)
    assert s["path"][0] == [-15, -10]
    near(s["path"][-1], [float(result.weight[0, 0]), float(result.bias[0])], 1e-4)


def test_more_than_two_weights_say_their_share():
    s = data_of(page_of("iris"))["surface"]
    assert 0.9 < s["share"] < 1
    assert "most of the path&#x27;s motion, more than 99.9 %." in page_of("iris")


def test_what_is_slow():
    """On iris the flattest direction is what is left to go; no direction is too steep for this learning rate."""
    s = data_of(page_of("iris"))["steepness"]
    assert s["curvature"] == sorted(s["curvature"]) and s["limit"] == pytest.approx(20.0)
    assert s["curvature"][-1] == pytest.approx(1.544, abs=2e-3)  # an independent number for this problem
    assert s["curvature"][-1] / s["curvature"][0] == pytest.approx(6134, rel=2e-3)  # as is its condition
    result = training("iris")
    for frame, weights in ((0, result.trace.weights[0][1]), (-1, result.weights)):
        distance = float((weights.coef - result.optimum_weights.coef).norm())
        assert math.hypot(*s["away"][frame]) == pytest.approx(distance, rel=1e-3)
    assert s["away"][-1][0] == max(s["away"][-1])


def test_top_says_problem_and_certificate():
    for name in FOUNDING:
        words = " ".join(read(page_of(name)).words)
        assert training(name).minimised.sentence[1:] in words
        assert "no weights go below" in words
    assert "It stopped short: 0.712 above the certified optimum." in " ".join(read(page_of("line")).words)
    assert "There is no optimum to reach" in page_of("two_points")


@pytest.mark.parametrize(
    ("name", "kind", "views"),
    [
        ("noisy", "scores", 7), ("fahrenheit", "lanes", 6), ("two_points", "plane", 7), ("line", "line", 7),
        ("iris", "scores", 8), ("three_irises", "scores", 5), ("petals", "plane", 5), ("several_targets", "scores", 6),
        ("bent", None, 1),
    ],
)  # fmt: skip
def test_views_that_fit(name, kind, views):
    html = page_of(name)
    space = data_of(html)["space"]
    assert (space and space["kind"]) == kind
    reader = read(html)
    assert len(reader.all("canvas")) == views
    for canvas in reader.all("canvas"):
        assert canvas["role"] == "img" and canvas["aria-label"]


def test_every_control_is_labelled():
    reader = read(page_of("line"))
    for tag, attrs in reader.found:
        if tag in ("input", "select") or (tag == "button" and attrs["id"] != "play"):
            assert attrs["aria-label"]
    assert {a["id"] for a in reader.all("button")} == {"play", "first", "back", "forward", "end"}


@pytest.mark.parametrize("count", [1, 2, 319, 320, 321, 1000, 20_000])
def test_thinning(count):
    steps = list(range(count))
    kept = thinned(steps)
    assert len(kept) <= MOST_FRAMES
    assert kept[0] == 0 and kept[-1] == count - 1
    gaps = np.diff(kept)
    if count <= MOST_FRAMES:
        assert kept == steps
    else:
        assert len(kept) > 0.9 * MOST_FRAMES and gaps[0] == 1
        assert (gaps > 0).all() and (gaps[1:-1] >= gaps[:-2] - 1).all()  # rounded to whole steps


def test_thinning_of_steps_that_lie_apart():
    steps = [0, *range(50, 200_001, 50)]
    kept = [steps[i] for i in thinned(steps)]
    assert kept[:3] == [0, 50, 100] and kept[-1] == 200_000 and len(kept) <= MOST_FRAMES


def test_thinned_trainings_say_so():
    html = page_of("fahrenheit")
    f = data_of(html)["frames"]
    assert f["step"][-1] == 1600 and len(f["step"]) < len(f["points"]) <= 1000
    assert f"{len(f['step']) - 1:,} of the 1,600 steps are shown" in html
    assert "240 of 1,000 rows are shown, drawn at random (seed 0)." in page_of("noisy")


def test_a_page_is_made_twice_the_same():
    assert page(training("noisy")) == page_of("noisy")


def test_hostile_names_are_only_words():
    evil = "</script><script>alert('1')</script>&\"\u2028"
    X = torch.tensor([[0.0, 1.0], [1.0, 0.5], [2.0, 2.5], [3.0, 0.0]], dtype=torch.float64)
    data = sl.make_data(X, np.array([evil, "b", evil, "b"]), sl.Logistic(), columns=(evil, "x"))
    objective = sl.Objective(data, sl.Logistic(), sl.L2(0.1))
    html = page([(torch.zeros(2), torch.zeros(1)), (torch.ones(2), torch.zeros(1))], objective)
    assert html.count("<script") == 2 and "\u2028" not in html.split('id="replay">')[1].split("</script>")[0]
    assert evil in "".join(read(html).words)
    assert data_of(html)["space"]["xname"] == evil
    with pytest.raises(ValueError, match="JSON"):
        embedded({"value": math.nan})


def test_a_list_of_weights_is_replayed():
    objective, weights = listed()
    found = data_of(page(weights, objective))
    assert found["frames"]["step"] == list(range(11))
    near(found["frames"]["loss"], [objective.value(sl.Weights(w, b[0])) for w, b in weights])
    assert all(a > b for a, b in zip(found["frames"]["gap"], found["frames"]["gap"][1:]))


def test_a_fit_has_the_report(tmp_path):
    X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40.0)
    result = sl.fit(X, y, loss="squared")
    with pytest.raises(PictureError, match="the pair"):
        report(result, tmp_path / "c.html", X)
    assert "How it was fitted" in report(result, tmp_path / "a.html").read_text(encoding="utf-8")
    assert "How well it predicts" in report(result, tmp_path / "b.html", (X, y)).read_text(encoding="utf-8")


def test_written_whole(tmp_path):
    place = report(training("line"), tmp_path / "replay.html")
    assert place.read_text(encoding="utf-8") == page_of("line")
    assert [p.name for p in tmp_path.iterdir()] == ["replay.html"]
    with pytest.raises(ValueError, match="not a file"):
        report(training("line"), tmp_path)


def test_one_weight_has_no_surface():
    x = torch.arange(1.0, 9.0)[:, None]
    result = train(nn.Linear(1, 1, bias=False), (x, 2 * x), nn.MSELoss(), Recipe("sgd", lr=0.001, epochs=5))
    html = page(result)
    assert data_of(html)["surface"] is None and "no surface to draw" in html


def test_a_training_that_diverged_is_shown_while_finite():
    x = torch.arange(1.0, 60.0)[:, None]
    module = nn.Linear(1, 1)
    result = train(module, (x, 2 * x), nn.MSELoss(), Recipe("sgd", lr=1.0, epochs=60), warn=False)
    html = page(result)
    found = data_of(html)
    assert "It diverged: " in html and result.stopped in html
    assert 1 < found["frames"]["step"][-1] < 60
    assert all(math.isfinite(v) for row in found["weights"] for v in row)


def test_many_outputs_show_no_rows():
    torch.manual_seed(0)
    X = torch.randn(40, 2, dtype=torch.float64)
    data = sl.make_data(X, torch.randn(40, 1001, dtype=torch.float64), sl.Squared())
    objective = sl.Objective(data, sl.Squared())
    steps = [(torch.full((1001, 2), v), torch.zeros(1001)) for v in (1.0, 0.5, 0.1)]
    html = page(steps, objective)
    assert "each has 1,001 scores" in html and len(html.encode()) < 300_000


@pytest.mark.parametrize(("features", "classes", "kind"), [(5, 60, "scores"), (2, 10, "plane"), (1, 15, "lanes")])
def test_many_classes_stay_small(features, classes, kind):
    """As many numbers as a page can hold: all frames, all rows, weights that are never round."""
    torch.manual_seed(0)
    X, y = torch.randn(300, features, dtype=torch.float64), torch.arange(300) % classes
    data = sl.make_data(X, y, sl.Softmax())
    walk = torch.randn(400, classes, features + 1, dtype=torch.float64).cumsum(0)
    html = page([(w[:, :-1], w[:, -1]) for w in walk], sl.Objective(data, sl.Softmax(), sl.L2(0.1)))
    assert len(html.encode()) < 300_000 and "and others" in html
    assert data_of(html)["space"]["kind"] == kind


def test_a_path_with_fewer_steps_than_its_trace(monkeypatch):
    """On many rows a path holds few of the steps that the trace has; each is drawn with its own numbers."""
    monkeypatch.setattr("sightline.show.trajectories.WORK", 0)
    trace, found = training("iris").trace, data_of(page(training("iris")))
    f = found["frames"]
    assert len(f["step"]) < 100 and f["step"][-1] == 400
    place = {step: i for i, step in enumerate(trace.step)}
    near(f["loss"], [trace.loss[place[s]] for s in f["points"]])
    near(f["epoch"], [trace.epoch[place[s]] for s in f["step"]])


def test_what_cannot_be_shown_is_said():
    with pytest.raises(PictureError, match="cannot be drawn"):
        page("nothing")
    X = np.random.default_rng(0).normal(size=(9, 2))
    with pytest.raises(PictureError, match="give them, data="):
        page(sl.fit(X, X[:, 0], loss="squared"))


# ------------------------------------------------------------------------------------------------- the script


def scripts() -> list[str]:
    folder = files("sightline.show") / "page_assets"
    return [(folder / name).read_text(encoding="utf-8") for name in SCRIPTS]


@pytest.mark.skipif(NODE is None, reason="node is not there to check JavaScript")
def test_script_parses(tmp_path):
    (tmp_path / "page.js").write_text("\n".join(scripts()), encoding="utf-8")
    done = subprocess.run([NODE, "--check", "page.js"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def in_node(expression: str, tmp_path, name: str = "iris") -> object:
    """What an expression over the page's data is in the page's script, all but its player."""
    code = "\n".join(scripts()[:-1])
    (tmp_path / "data.json").write_text(json.dumps(data_of(page_of(name))), encoding="utf-8")
    code += "\nconst data = JSON.parse(require('fs').readFileSync('data.json'));"
    code += f"\nconsole.log(JSON.stringify({expression}));"
    (tmp_path / "run.js").write_text(code, encoding="utf-8")
    done = subprocess.run([NODE, "run.js"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(NODE is None, reason="node is not there to run JavaScript")
@pytest.mark.parametrize("name", ["fahrenheit", "two_points", "petals"])
def test_script_scores_the_rows_by_the_weights(name, tmp_path):
    result = training(name)
    found = in_node("[3, data.frames.step.length - 1].map((t) => scores(data, t))", tmp_path, name)
    steps, known = data_of(page_of(name))["frames"]["step"], dict(result.trace.weights)
    for z, frame in zip(found, (3, -1), strict=True):
        weights = known[steps[frame]]
        wanted = (result.X.double() @ weights.coef + weights.intercept).reshape(-1)
        assert np.abs(np.array(z) - wanted.numpy()).max() < 1e-4 * float(wanted.abs().max())


@pytest.mark.skipif(NODE is None, reason="node is not there to run JavaScript")
def test_script_scores_the_rows(tmp_path):
    result = training("iris")
    found = in_node("[scores(data, data.frames.step.length - 1), margins(data, 0)]", tmp_path)
    z = result.X.double() @ result.weight.double()[0]
    assert np.abs(np.array(found[0]) - z.numpy()).max() < 5 * EXACT * float(z.max() - z.min())
    start = result.X.double() @ result.trace.weights[0][1].coef
    margins = start * (2 * result.y[:, 0].double() - 1)
    assert np.abs(np.array(found[1]) - margins.numpy()).max() < 0.1


@pytest.mark.skipif(NODE is None, reason="node is not there to run JavaScript")
def test_script_cuts_the_plane_where_classes_meet(tmp_path):
    """Every corner of a region of three classes is as high in its own class as in any other."""
    expression = "regions({x: new Axis(0, 8), y: new Axis(-1, 3)}, planes(data, data.weights.at(-1)))"
    polygons = in_node(expression, tmp_path, "petals")
    w = data_of(page_of("petals"))["weights"][-1]
    table = np.array(w).reshape(3, 3)
    area = 0.0
    for k, polygon in enumerate(polygons):
        corners = np.array(polygon)
        scores = corners @ table[:, :2].T + table[:, 2]
        assert (scores[:, k] >= scores.max(1) - 1e-9).all()
        x, y = corners.T
        area += 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))
    assert area == pytest.approx(32.0)  # they fill the box and do not overlap


@pytest.mark.skipif(NODE is None, reason="node is not there to run JavaScript")
def test_script_writes_numbers(tmp_path):
    found = in_node(
        "[digits(1234567.8), digits(-0.000012345), digits(0), digits(null), digits(0.1234567), digits(99999.9, 3),"
        " brief(0.1, 3), brief(1200, 3), brief(1e-7, 3), whole(1234567), ticks(0, 10, 5), ticks(3, 3, 5)]", tmp_path,
    )  # fmt: skip
    assert found == [
        "1,234,568", "−1.23e−5", "0", "–", "0.1235", "100,000", "0.1", "1,200", "1e−7", "1,234,567",
        [0, 2, 4, 6, 8, 10], [3],
    ]  # fmt: skip
