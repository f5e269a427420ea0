"""Case 2: is it above freezing?, as it is told."""

from __future__ import annotations

from typing import Any

from sightline.tour.fahrenheit import EXACT_EPOCHS, FREEZING, LONGEST_EPOCHS, POSTED, SCALED, Facts
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
    share,
)
from sightline.tour.story import number as n_


def story(f: Facts) -> Story:
    """The case, told."""
    last, (first, end) = f.course[-1], f.scaled
    w, b = f.margin
    safe = tuple(2 / c for c in f.curvature)
    scenes = (
        Scene(TRIED, (
            f"{f.rows} whole degrees from −100 to 99, one at a time, in order, {POSTED.epochs:,} times over. Is it"
            f" above {FREEZING}?",
            Code(
                "model = nn.Sequential(nn.Linear(1, 1), nn.Sigmoid())\n"
                "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
                "for epoch in range(1000):\n"
                "    for value, target in zip(x, y):\n"
                "        optimizer.zero_grad()\n"
                "        loss = nn.BCELoss()(model(value), target)\n"
                "        loss.backward()\n"
                "        optimizer.step()"
            ),
            f"That is {f.rows * POSTED.epochs:,} steps. {_engine(f)}",
            "The post sets no seed, so its start is not known; here it is `torch.manual_seed(0)`.",
        )),
        Scene(GAVE, (
            f"The boundary, where the model changes its mind, is at {n_(last.boundary, 3)} degrees after"
            f" {last.at:,} epochs, and {share(last.right)} of the answers are right. It creeps:",
            Table(
                ("epoch", "weight", "bias", "boundary", "right"),
                tuple(
                    (f"{m.at:,}", n_(m.weight, 3), n_(m.bias, 4), n_(m.boundary, 3), share(m.right)) for m in f.course
                ),
                words=(),
            ),
            Picture(lambda theme: _by_epoch(f, theme), "The boundary and the share of right answers after each epoch."),
        )),
        Scene(BEST, (
            f"There is none. The two classes are separable, so the loss falls for ever as the weights grow: the"
            f" verdict of the certificate is {f.certificate.verdict.name}. What exists is the best boundary, half way"
            f" between the last cold degree and the first warm one: {n_(-b / w, 4)} (weight {n_(w, 3)}, bias"
            f" {n_(b, 3)}).",
            f"And the asker was right. Rounded, as in the post, 0.5555 and −17.7777 put the boundary at"
            f" {n_(f.rounded, 5)}. The model built from the formula, weight 5/9 and bias −160/9, has"
            f" its boundary at {n_(f.formula.boundary, 4)} and {share(f.formula.right)} of the answers right. Its loss"
            f" is {n_(f.certificate.value, 4)}, and all that could make it smaller is longer weights.",
            Code(
                "weight, bias = torch.tensor([[5 / 9]]), torch.tensor([-160 / 9])\n"
                'model[0].load_state_dict({"weight": weight, "bias": bias})\n'
                'sl.certify(model, x, y, loss="logistic")'
            ),
        )),
        Scene(WHY, (
            "The two numbers to be learned live on different scales. The gradient of the weight is x times the error,"
            " up to 100 times that of the bias. So the weight jumps at once and the bias crawls, at most 0.1 a step.",
            f"For a boundary at {FREEZING} with the weight {n_(last.weight, 2)} the bias has to get to"
            f" {n_(-FREEZING * last.weight, 3)}; it is at {n_(last.bias, 4)}.",
            f"As a number: the largest curvature of the loss is {n_(f.curvature[0], 3)}, so a learning rate beyond"
            f" 2/{n_(f.curvature[0], 3)} = {n_(safe[0], 2)} can overshoot, and this one was {POSTED.lr}.",
            *_long(f),
            Picture(lambda theme: _norm(f, theme), "Length and direction of (weight, bias): the length grows for ever,"
                    " the direction turns slowly towards the one that is right."),
        )),
        Scene(REACHES, (
            f"Scale the column: subtract the mean, divide by the standard deviation. The largest curvature is then"
            f" {n_(f.curvature[1], 2)} and learning rates up to {n_(safe[1], 2)} and somewhat beyond work. All rows in"
            f" one step, learning rate {n_(SCALED.lr or 0, 2)}: from step {first.at} on every answer is right.",
            Code("x = (x - x.mean()) / x.std()"),
            f"After {end.at} steps, in degrees again: weight {n_(end.weight, 3)}, bias {n_(end.bias, 3)}, boundary"
            f" {n_(end.boundary, 4)}.",
            Replay(f.runs["scaled"], "The scaled run, step by step."),
        )),
    )  # fmt: skip
    return Story(
        2, "fahrenheit", "Is it above freezing?",
        "One column, one threshold, a formula that says it all, and after 200,000 steps the model is still wrong. Why?",
        (
            ("Tried", f"SGD one row at a time, learning rate {POSTED.lr}, {POSTED.epochs:,} epochs"),
            ("It gave", f"boundary {n_(last.boundary, 3)} in place of {FREEZING}, {share(last.right)} right"),
            ("The optimum", f"none, the loss falls for ever; the best boundary is {n_(-b / w, 4)}; the asker's formula"
             f" has {n_(f.formula.boundary, 4)} and is {share(f.formula.right)} right"),
            ("Why", "the weight's gradient is up to 100 times the bias's: the bias crawls"),
            ("What reaches it", f"scaling the column: {share(first.right)} right from step {first.at}"),
        ),
        scenes,
        "Stack Overflow 75125489",
    )  # fmt: skip


def _engine(f: Facts) -> str:
    if not f.compiled:
        return "PyTorch's own loop ran them here."
    agree = "bit for bit" if f.agreement == 0 else f"to {n_(f.agreement, 1)}"
    return (
        f"Sightline's compiled engine ran them here; over the first {EXACT_EPOCHS} epochs PyTorch's own loop ran too,"
        f" and the weights agree {agree}."
    )


def _long(f: Facts) -> tuple[Part, ...]:
    if f.all_right is None or f.far is None:
        return ()
    return (
        f"Patience helps, at a price: every answer is right from epoch {f.all_right:,} on, after"
        f" {f.all_right * f.rows:,} steps. After {LONGEST_EPOCHS:,} epochs the boundary is at {n_(f.far, 6)} and still"
        f" creeping towards {n_(-f.margin[1] / f.margin[0], 3)}.",
    )


def _by_epoch(f: Facts, theme: str) -> Any:
    from sightline.tour.charts import Curve, Panel, curves

    moments = f.runs["course"]
    epochs = [m.at for m in moments]
    last = moments[-1]
    return curves(
        theme,
        [
            Panel("", "boundary in °F", (Curve("", epochs, [m.boundary for m in moments]),), ((FREEZING, "wanted"),)),
            Panel("epoch", "right in %", (Curve("", epochs, [100 * m.right for m in moments]),), ((100, "all"),)),
        ],
        f"After {last.at:,} epochs the boundary is at {n_(last.boundary, 3)} °F",
        f"Two curves over {last.at:,} epochs. The boundary rises from {n_(moments[0].boundary, 2)} to"
        f" {n_(last.boundary, 3)} degrees, ever more slowly, and stays below the wanted {FREEZING}. The share of right"
        f" answers rises from {share(moments[0].right)} to {share(last.right)}.",
    )


def _norm(f: Facts, theme: str) -> Any:
    from sightline import show

    return show.norm_and_direction(f.runs["posted"], theme=theme)
