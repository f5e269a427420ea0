"""Case 3: two points, as it is told."""

from __future__ import annotations

import math
from typing import Any

from sightline.certificate import Certificate
from sightline.recipes import Training
from sightline.tour.story import (
    BEST,
    GAVE,
    REACHES,
    TRIED,
    WHY,
    Code,
    Part,
    Picture,
    Replay,
    Scene,
    Story,
    Table,
    vector,
)
from sightline.tour.story import number as n_
from sightline.tour.two_points import DECAY, Facts, Place


def story(f: Facts) -> Story:
    """The case, told."""
    end, decayed, straight = f.plain[-1], f.decayed[-1], f.weights_only[-1]
    scenes = (
        Scene(TRIED, (
            "Two points, (3, 2) of class 1 and (1, 1) of class 0, both in every step, learning rate 1. A straight line"
            " should come to lie half way between them.",
            Code(
                "model = nn.Sequential(nn.Linear(2, 1), nn.Sigmoid())\n"
                "# weight_decay=0, then 0.2\n"
                "optimizer = torch.optim.SGD(model.parameters(), lr=1, weight_decay=0)"
            ),
            "The asker drew the boundary every ten epochs, and the sum of the absolute weights.",
        )),
        Scene(GAVE, (
            "Without weight decay both points are told rightly, but the line keeps turning and the weights keep"
            f" growing. With `weight_decay={DECAY}` the weights settle, and the line lies even stranger.",
            Table(
                ("epoch", "off, no decay", "sum |w|", f"off, decay {DECAY}", "sum |w|"),
                tuple(
                    (str(a.epoch), _degrees(a), n_(a.size, 3), _degrees(b), n_(b.size, 3))
                    for a, b in zip(f.plain, f.decayed)
                ),
                words=(),
            ),
            "\"Off\" is the angle between the line and the one half way.",
            Picture(lambda theme: _boundary(f.runs["plain"], theme), "The posted picture again: the boundary by epoch,"
                    " from faint to dark, without weight decay."),
            Picture(lambda theme: _sizes(f, theme), "The second posted picture: the sum of the absolute weights."),
            Replay(f.runs["plain"], "The run without weight decay, step by step."),
        )),
        Scene(BEST, (
            "Without decay there is no optimum: the points are separable, and the loss falls for ever"
            f" ({_verdict(f.certificates[0])}). The line half way between the points is the widest margin,"
            f" {n_(f.half_width, 4)} to each side: weights {vector(f.bisector.weight, 2)}, bias"
            f" {n_(f.bisector.bias, 2)}.",
            f"With decay there is one optimum, and the posted run is there: weights {vector(decayed.weight, 4)}, bias"
            f" {n_(decayed.bias, 4)}; proven gap {n_(_gap(f.certificates[1]), 1)}. The training did not fail. It solved"
            " another problem than the asker meant.",
        )),
        Scene(WHY, (
            "Gradient descent on separable data heads for the widest margin, but it counts the bias as a weight like"
            f" any other. So it goes to the widest margin of (w, b): {vector((*f.heading.weight, f.heading.bias), 4)},"
            f" that is (7/6, −1/3, −11/6). Its line is {f.heading.angle:.3f}° away from the one half way.",
            *_far(f),
            f"`weight_decay={DECAY}` pulls on the bias too. The bias is what shifts the line away from the origin, so a"
            f" small bias leaves the line too near to it: {_degrees(decayed)} off. Beyond a decay of 1/(4 ln 3) ="
            f" {n_(f.limit, 5)} the optimum no longer tells the two points apart: just below that"
            f" {f.near_limit[0]} of 2 are right, just above {f.near_limit[1]}.",
            Picture(lambda theme: _boundary(f.runs["decayed"], theme), f"With weight decay {DECAY} on weights and"
                    f" bias."),
        )),
        Scene(REACHES, (
            "Let the decay act on the weights alone. By symmetry the optimum then is exactly half way, at every"
            f" strength: with {_list([n_(s, 2) for s, _ in f.strengths])} the angle to it is below"
            f" {n_(max(1e-9, *(a for _, a in f.strengths)), 1)}°.",
            Code(
                "linear = model[0]\n"
                "torch.optim.SGD([{\"params\": [linear.weight], \"weight_decay\": 0.2},\n"
                "                 {\"params\": [linear.bias], \"weight_decay\": 0.0}], lr=1)\n\n"
                "# The same for Sightline\n"
                'sl.Recipe("sgd", lr=1.0, weight_decay=0.2, decay="weights")'
            ),
            f"The same run with that: {_degrees(f.weights_only[-2])} off at epoch {f.weights_only[-2].epoch},"
            f" {n_(straight.angle, 1)}° at epoch {straight.epoch:,}; its gap to the optimum is"
            f" {n_(_gap(f.certificates[2]), 1)}, proven.",
            Picture(lambda theme: _boundary(f.runs["weights_only"], theme), "With weight decay on the weights alone."),
        )),
    )  # fmt: skip
    return Story(
        3, "two-points", "Two points, one line",
        "The line should lie half way between two points. It keeps turning, and weight decay makes it worse. Why?",
        (
            ("Tried", f"SGD with both points in every step, learning rate 1, weight decay 0 and {DECAY}"),
            ("It gave", f"after 100 epochs a line {_degrees(end)} off without decay, {_degrees(decayed)} with it"),
            ("The optimum", f"without decay none; the widest margin is weights {vector(f.bisector.weight, 2)}, bias"
             f" {n_(f.bisector.bias, 2)}"),
            ("Why", f"the bias counts as a weight: descent heads for a line {f.heading.angle:.1f}° off, for ever, and"
             " decay holds the bias back"),
            ("What reaches it", f"decay on the weights alone: {n_(straight.angle, 1)}° off"),
        ),
        scenes,
        "discuss.pytorch.org 112517",
    )  # fmt: skip


def _list(words: list[str]) -> str:
    """'1, 2 and 3'."""
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _degrees(place: Place) -> str:
    return f"{place.angle:.1f}°"


def _verdict(certificate: Certificate | None) -> str:
    return "no certificate" if certificate is None else certificate.verdict.name


def _gap(certificate: Certificate | None) -> float:
    return math.nan if certificate is None else certificate.gap


def _far(f: Facts) -> tuple[Part, ...]:
    if f.far is None:
        return ()
    return (
        f"It goes there slowly, as the logarithm of the steps: after {f.far.epoch + 1:,} steps it is"
        f" {f.far.angle:.2f}° off the line half way, and the weights add up to {n_(f.far.size, 3)}.",
    )


def _boundary(run: Training, theme: str) -> Any:
    from sightline import show

    return show.decision_boundary(run, theme=theme)


def _sizes(f: Facts, theme: str) -> Any:
    from sightline.tour.charts import Curve, Panel, curves

    drawn = []
    labels = {"plain": "no decay", "decayed": f"decay {DECAY}", "weights_only": "decay of weights alone"}
    for name, label in labels.items():
        pairs = [(step - 1, float(w.coef.abs().sum())) for step, w in f.runs[name].trace.weights if 0 < step <= 101]
        drawn.append(Curve(label, [epoch for epoch, _ in pairs], [size for _, size in pairs]))
    ends = [curve.y[-1] for curve in drawn]
    return curves(
        theme, [Panel("epoch", "sum of absolute weights", tuple(drawn))],
        "Without decay the weights grow for ever",
        "Sum of the absolute weights over 100 epochs. Without weight decay it grows without end, to"
        f" {n_(ends[0], 3)}; with decay it settles at {n_(ends[1], 3)}, with decay of the weights alone at"
        f" {n_(ends[2], 3)}.",
    )  # fmt: skip
