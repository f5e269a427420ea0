"""Case 4: the line, as it is told."""

from __future__ import annotations

import textwrap
from typing import Any

from sightline.tour.line import BATCHES, ENOUGH, POSTED, RATES, ROWS, START, End, Facts
from sightline.tour.story import BEST, GAVE, REACHES, TRIED, WHY, Code, Picture, Replay, Scene, Story, Table
from sightline.tour.story import number as n_


def story(f: Facts) -> Story:
    """The case, told."""
    one, whole = _of(f, RATES[0], 1), _of(f, RATES[0], None)
    fast = _of(f, RATES[1], None)
    rows = ROWS
    scenes = (
        Scene(TRIED, (
            f"{rows} points about the line y = x − 1. A model with one weight and one bias starts far away, at"
            f" {n_(float(START['weight']), 2)} and {n_(float(START['bias']), 2)}, and is trained for {POSTED.epochs}"
            " epochs: with one point a step, with 5, with 10, and with all.",
            Code(
                "loader = DataLoader(dataset, batch_size=1)  # then 5, 10, 60\n"
                "optimizer = torch.optim.SGD(model.parameters(), lr=0.01)  # then 0.1\n"
                "loss = nn.MSELoss()(model(x), y)"
            ),
            Picture(lambda theme: _line(f, theme), "The data, and the line after some of the epochs: all points in"
                    " every step, learning rate 0.1."),
        )),
        Scene(GAVE, (
            "The same ten epochs, the same learning rate, and very different ends:",
            Table(
                ("batch", "learning rate", "steps", "slope", "intercept", "above the optimum"),
                tuple(
                    ("all" if e.batch is None else str(e.batch), str(e.rate), str(e.steps), n_(e.slope, 4),
                     n_(e.bias, 4), n_(e.above, 2))
                    for e in f.ends
                ),
                words=(),
            ),
            Picture(lambda theme: _paths(f, RATES[0], theme), "The paths on the loss surface, learning rate 0.01. All"
                    " start at the same place."),
            Picture(lambda theme: _paths(f, RATES[1], theme), "The same with learning rate 0.1."),
        )),
        Scene(BEST, (
            f"Least squares: slope {n_(f.slope, 5)}, intercept {n_(f.bias, 5)}, mean squared error {n_(f.error, 4)}."
            f" It is not (1, −1), the line that the data were made from, because of the noise. {int(f.digits)} digits"
            f" of both are proven right.",
            Code('sl.fit(x, y, loss="squared")'),
        )),
        Scene(WHY, (
            f"An epoch is not a step. With one point a step, ten epochs are {one.steps} steps; with all points they are"
            f" {whole.steps}. The full batch is not worse, it has taken {whole.steps} steps.",
            f"How many it needs can be computed. The surface is a bowl with the curvatures"
            f" {n_(f.eigenvalues[0], 4)} and {n_(f.eigenvalues[1], 4)}: in each of its two directions a step of"
            f" learning rate r leaves 1 − r × curvature of the distance. So to come within {n_(ENOUGH, 1)} of the"
            f" optimum takes",
            Table(
                ("learning rate", "steps, computed", "steps, counted"),
                tuple((str(rate), str(computed), str(counted)) for rate, computed, counted in f.needed),
                words=(),
            ),
            f"Why not a larger rate still? Beyond 2/{n_(f.eigenvalues[1], 4)} = {n_(f.safe, 3)} full-batch descent"
            f" diverges. A single point has its own curvature, up to {n_(2 / f.row_safe, 3)}, and its own limit,"
            f" {n_(f.row_safe, 1)}: with one point a step and learning rate {RATES[1]} the run is at that limit, and"
            f" ends {n_(_of(f, RATES[1], 1).above, 1)} above the optimum, farther than with {RATES[0]}"
            f" ({n_(one.above, 1)}).",
            Picture(lambda theme: _curvatures(f, theme), "The two curvatures, and what is left to go in each"
                    " direction."),
        )),
        Scene(REACHES, (
            f"For all points in every step: learning rate {RATES[1]}, {f.needed[1][1]} steps. Or no steps at all: least"
            " squares has a formula.",
            Replay(f.runs[RATES[0], 1], "One point a step, learning rate 0.01, as in the course."),
        )),
        Scene("To stop and go on: state_dict", (
            "What a training is made of can be saved. The model's `state_dict` after the first run, and the"
            " optimizer's:",
            Code(f"model.state_dict()\n{_state(f.module_state)}\n\noptimizer.state_dict()\n{_state(f.optimizer_state)}"),
            f"Plain SGD has an empty `state`: it remembers nothing. Stopped after {POSTED.epochs // 2} epochs and"
            f" begun again from the model's `state_dict` alone it ends {_where(f.resumed)}. With"
            " momentum the optimizer remembers where it was going:",
            Code(f"optimizer.state_dict()[\"state\"]\n{_state(f.momentum_state['state'])}"),
            f"Begun again without that, it ends {n_(f.lost, 2)} away. So save both.",
        )),
    )  # fmt: skip
    return Story(
        4, "line", "The line, and the size of the batch",
        "One line, ten epochs, four batch sizes, four different answers. Which one is right?",
        (
            ("Tried", f"SGD from far away, {POSTED.epochs} epochs, batches of 1, 5, 10 and all, learning rate"
             f" {RATES[0]}"),
            ("It gave", f"from {n_(one.above, 1)} (batch 1) to {n_(whole.above, 3)} (all) above the optimum"),
            ("The optimum", f"slope {n_(f.slope, 5)}, intercept {n_(f.bias, 5)}, {int(f.digits)} digits proven"),
            ("Why", f"ten epochs are {one.steps} steps with batch 1 and {whole.steps} with all; the full batch needs"
             f" {f.needed[0][1]}"),
            ("What reaches it", f"learning rate {RATES[1]} and {f.needed[1][1]} full-batch steps, computed and counted;"
             f" after {fast.steps} it is still {n_(fast.above, 2)} above"),
        ),
        scenes,
        "an exercise of many courses",
    )  # fmt: skip


def _of(f: Facts, rate: float, batch: int | None) -> End:
    return next(e for e in f.ends if (e.rate, e.batch) == (rate, batch))


def _state(state: Any) -> str:
    """A state dict in lines of a page's width."""
    return textwrap.fill(repr(state), 74, subsequent_indent=" ", break_long_words=False, break_on_hyphens=False)


def _where(difference: float) -> str:
    return "at the same weights, bit for bit" if difference == 0 else f"{n_(difference, 2)} away"


def _label(batch: int | None) -> str:
    return "all points" if batch is None else f"batch {batch}"


def _paths(f: Facts, rate: float, theme: str) -> Any:
    from sightline import show

    return show.race({_label(batch): f.runs[rate, batch] for batch in BATCHES}, theme=theme)


def _line(f: Facts, theme: str) -> Any:
    from sightline import show

    return show.fitted_line(f.runs[RATES[1], None], theme=theme)


def _curvatures(f: Facts, theme: str) -> Any:
    from sightline import show

    return show.curvature(f.runs[RATES[1], None], theme=theme)
