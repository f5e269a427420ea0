"""The report is one page that needs nothing else, for every kind of model; and the numbers on it are right."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from sklearn.metrics import (
    balanced_accuracy_score,
    log_loss,
    mean_pinball_loss,
    mean_poisson_deviance,
    r2_score,
    roc_auc_score,
)

import sightline as sl
from sightline.coefficient import beside, number
from sightline.facts import Rows, calibration, gather, spread, wilson
from sightline.losses import LOSSES
from sightline.metrics import area, metrics
from sightline.report import page
from sightline.report.draw import Scale, small, tick_text, ticks
from sightline.report.style import STYLE
from sightline.summary import Summary

EMPTY = {"meta", "line", "circle", "rect", "br", "link", "img"}


class Checker(HTMLParser):
    """Every element is closed in its turn; nothing is loaded; every picture has words or is an ornament."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.pictures = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        assert tag not in ("script", "link", "iframe", "img", "object"), tag
        assert not {"src", "href", "onload", "onclick"} & set(told), told
        for name, value in told.items():
            if name not in ("aria-label", "content", "class"):
                assert not re.search(r"nan|inf\b", value or "", re.IGNORECASE), (name, value)
        if tag == "svg":
            self.pictures += 1
            assert told.get("aria-hidden") == "true" or (told.get("role") == "img" and told.get("aria-label"))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in EMPTY:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def checked(html: str) -> Checker:
    assert len(html.encode()) < 300_000
    assert "http://" not in html and "https://" not in html and "url(" not in html
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert checker.open == []
    return checker


def data(loss: str, n: int = 80, p: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(n, p)) * 10.0 ** np.arange(-1, p - 1)
    z = X[:, 0] * 10 + rng.normal(size=n)
    if loss in ("logistic", "hinge", "squared_hinge"):
        return X, np.where(z > 0, "yes", "no")
    if loss == "softmax":
        return X, np.digitize(z, [-0.5, 0.5])
    return X, rng.poisson(np.exp(np.clip(z, -2, 2))).astype(float) if loss == "poisson" else z


def fitted(loss: str, **options: object) -> tuple[sl.Result, np.ndarray, np.ndarray]:
    X, y = data(loss)
    return sl.fit(X, y, loss=loss, warn=False, **options), X, y  # type: ignore[arg-type]


@pytest.mark.parametrize("loss", list(LOSSES))
def test_every_model_has_its_page(loss, tmp_path):
    options = {"C": 1.0} if "hinge" in loss else {}
    result, X, y = fitted(loss, **options)
    without = checked(page(result))
    path = result.report(tmp_path / "report.html", X, y)
    with_data = checked(path.read_text(encoding="utf-8"))
    assert with_data.pictures > without.pictures
    words = " ".join(with_data.words)
    for heading in ("Coefficients", "How well it predicts", "How it was fitted", "The certificate", "To use it"):
        assert heading in words
    assert "Optimal: within" in words and "x4" in words
    assert ("95 % interval" in words) == (loss in ("squared", "logistic", "softmax", "poisson"))


def test_hostile_names_are_only_words():
    X, y = data("logistic")
    evil = "<script>alert('1')</script>&\"'"
    names = (evil, "b" * 300, "größe_in_µm", "")
    result = sl.fit(X, np.where(y == "yes", evil, "<b>"), loss="logistic", columns=names, C=1)
    told = {"target": evil, "source": evil, "reason": evil, "notes": [evil], "command": evil, "dropped": {evil: evil}}
    facts = gather(result, Rows(X, np.where(y == "yes", evil, "<b>")), **told)
    html = page(dataclasses.replace(result, extra={"facts": facts}), evil)
    checker = checked(html)
    assert "<script" not in html and "<b>yes" not in html
    assert evil in "".join(checker.words)


def test_a_wide_model_stays_small_and_says_what_it_leaves_out():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40, 2000))
    y = rng.integers(0, 3, 40)
    result = sl.fit(X, y, loss="softmax", C=1)
    summary = Summary.of(result, gather(result, Rows(X, y)))
    html = page(dataclasses.replace(result, extra={"facts": summary.facts}))
    assert "5,970 more are not shown" in " ".join(checked(html).words)
    parts, left = summary.largest(30)
    assert [len(part) for part in parts] == [11, 11, 11] and left == 6_000 - 30


def test_verdicts_other_than_optimal():
    X, y = data("logistic")
    separated = sl.fit(X, X[:, 0] > 0, loss="logistic", warn=False)
    words = " ".join(checked(page(separated)).words)
    assert "There is no optimum" in words and "--C 1" in words
    doubled = sl.fit(np.c_[X, X], X[:, 0] + y.astype("U1").view(np.uint32) % 7, loss="squared", warn=False)
    words = " ".join(checked(page(doubled)).words)
    assert "not the only one" in words and "span 4 dimensions" in words
    stopped = sl.fit(X, y, loss="logistic", max_iter=1, warn=False)
    assert "Not at the optimum" in " ".join(checked(page(stopped)).words)


def test_odd_data_draw_nothing_strange():
    X = np.c_[np.ones(12), np.arange(12.0) * 1e150, np.arange(12.0)[::-1] ** 2 * 1e-150]
    y = np.arange(12.0) % 5
    for result in (sl.fit(X, y, loss="squared", warn=False), sl.fit(X[:, 1:2], y, loss="squared", fit_intercept=False)):
        facts = gather(result, Rows(X[:, : result.weight.shape[1]], y))
        checked(page(dataclasses.replace(result, extra={"facts": facts})))
        assert str(result)


@pytest.mark.parametrize("weighted", [False, True])
def test_metrics_agree_with_scikit_learn(weighted):
    rng = np.random.default_rng(0)
    n = 200
    w = rng.uniform(0.1, 3, n) if weighted else None
    z = np.round(rng.normal(size=n), 1)
    t = np.where(z + rng.normal(size=n) > 0, 1.0, -1.0)
    found = {m.name: m.value for m in metrics(sl.Logistic(), z, t, w)}
    p = 1 / (1 + np.exp(-z))
    assert found["log loss"] == pytest.approx(log_loss(t, p, sample_weight=w))
    assert found["AUC"] == pytest.approx(roc_auc_score(t, z, sample_weight=w))
    assert found["accuracy"] == pytest.approx(np.average((z > 0) == (t > 0), weights=w))
    assert area(z, np.ones(n, dtype=int), np.ones(n)) is None
    many, codes = rng.normal(size=(n, 3)), rng.integers(0, 3, n)
    found = {m.name: m.value for m in metrics(sl.Softmax(), many, codes, w)}
    assert found["balanced accuracy"] == pytest.approx(balanced_accuracy_score(codes, many.argmax(1), sample_weight=w))
    e = np.exp(many)
    assert found["log loss"] == pytest.approx(log_loss(codes, e / e.sum(1, keepdims=True), sample_weight=w))
    y = z + rng.normal(size=n)
    found = {m.name: m.value for m in metrics(sl.Squared(), z, y, w)}
    assert found["R²"] == pytest.approx(r2_score(y, z, sample_weight=w))
    counts = rng.poisson(np.exp(z)).astype(float)
    found = {m.name: m.value for m in metrics(sl.Poisson(), z, counts, w)}
    assert found["mean deviance"] == pytest.approx(mean_poisson_deviance(counts, np.exp(z), sample_weight=w))
    found = {m.name: m.value for m in metrics(sl.Quantile(0.3), z, y, w)}
    assert found["pinball loss"] == pytest.approx(mean_pinball_loss(y, z, alpha=0.3, sample_weight=w))
    assert found["share below"] == pytest.approx(np.average(y < z, weights=w))


def test_spread_is_the_columns_standard_deviation():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3)) + np.array([0, 1e6, -5])
    w = rng.uniform(0, 2, 50)
    dense = spread(sl.make_data(X, X[:, 0], sl.Squared(), sample_weight=w))
    mean = np.average(X, axis=0, weights=w)
    assert dense == pytest.approx(np.sqrt(np.average((X - mean) ** 2, axis=0, weights=w)))
    sp = pytest.importorskip("scipy.sparse")
    S = np.where(rng.uniform(size=(50, 3)) < 0.3, X - [0, 1e6, -5], 0.0)
    assert spread(sl.make_data(sp.csr_matrix(S), S[:, 0], sl.Squared())) == pytest.approx(S.std(axis=0))


def test_intervals_of_shares():
    assert wilson(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)  # Wilson (1927)
    assert wilson(0.0, 10)[0] == 0.0 and wilson(1.0, 10)[1] == 1.0
    rows = calibration(np.linspace(0, 1, 20), np.repeat([0.0, 1.0], 10), np.ones(20))
    assert len(rows) == 10 and sum(row[4] for row in rows) == 20


def test_numbers_are_short_and_right():
    told = [number(v) for v in (0, 1234.5678, 0.000123456, 1e-9, 9.99e6, 1.2345e8, float("nan"), -0.99999999, None)]
    assert told == ["0", "1,235", "0.0001235", "1.00e-09", "9,990,000", "1.23e+08", "–", "-1.000", "–"]
    assert beside(3.14159, 0.0123) == "3.1416" and beside(1234.5, 321) == "1,234" and beside(2.0, None) == "2.000"
    assert [small(1e-6, 0), small(1.234e-12), small(float("inf"))] == ["1e−6", "1.2e−12", "∞"]


def test_ticks_are_round_and_within():
    for low, high in ((0, 1), (-3.7, 11.2), (1e-12, 3e-12), (-5e7, 1e8), (2, 2)):
        found = ticks(low, high)
        assert 1 <= len(found) <= 6 and all(low - 1e-9 * abs(low) <= t <= high * (1 + 1e-9) for t in found)
    assert [tick_text(v, 0.5) for v in (-0.5, 0, 0.5)] == ["−0.5", "0", "0.5"]
    scale = Scale(0, 10)
    assert (scale(-5), scale(5), scale(50)) == (0.0, 50.0, 100.0)


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(c * 2 for c in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_colours_can_be_read_in_light_and_dark():
    """WCAG 2.2: words have a contrast of 4.5 to 1 with what they stand on."""
    blocks = re.findall(r":root\{(.*?)\}", STYLE, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        colours = dict(re.findall(r"--(\w+):(#\w+)", block))
        for words in ("ink", "soft", "main", "other"):
            for ground in ("page", "panel"):
                high, low = sorted((luminance(colours[words]), luminance(colours[ground])), reverse=True)
                assert (high + 0.05) / (low + 0.05) >= 4.5, (words, ground)
