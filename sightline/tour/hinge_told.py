"""Case 1: noisy labels and the hinge loss, as it is told."""

from __future__ import annotations

from typing import Any

from torch import nn

from sightline.tour.hinge import COLUMNS, FLIPS, ROWS, WANTED, Facts
from sightline.tour.story import BEST, GAVE, REACHES, TRIED, WHY, Code, Part, Picture, Scene, Story, Table, share
from sightline.tour.story import number as n_


def story(f: Facts) -> Story:
    """The case, told."""
    value, last = n_(f.certificate.value, 10), f.posted[-1]
    left = f.course[-1]
    scenes = (
        Scene(TRIED, (
            f"{ROWS} rows of {COLUMNS} columns, labelled by a hidden line; then {FLIPS} labels were flipped, so no"
            f" model can be right on all of them. Wanted: a linear model with a small hinge loss that finds at least"
            f" {share(WANTED)} of the {f.positives} positive rows (its recall).",
            "The first obstacle comes before any training. The module was written like this:",
            Code(
                "class Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
                "        self.weight = torch.zeros(10, requires_grad=True)\n"
                "        self.bias = torch.zeros(1, requires_grad=True)\n\n"
                "torch.optim.SGD(Model().parameters(), lr=1.0)"
            ),
            f"PyTorch answers: \"{f.empty}\". A tensor becomes a parameter of a module when it is wrapped:"
            f" `self.weight = nn.Parameter(torch.zeros(10))`. Then `parameters()` finds {' and '.join(f.mended)}.",
            "The second obstacle is the loss. The one whose name fits was taken: `nn.HingeEmbeddingLoss()`.",
        )),
        Scene(GAVE, (
            "The loss went below zero, which no hinge loss can, and it goes on falling. The share of rows told rightly"
            " went down with it.",
            Table(("step", "loss", "right"), tuple((f"{s:,}", n_(v, 4), share(a)) for s, v, a in f.posted), words=()),
        )),
        Scene(WHY, (
            "`HingeEmbeddingLoss` expects distances, not scores. For a row labelled 1 its loss is the score itself, and"
            " for a row labelled −1 it is max(0, 1 − score). So a positive row pays for a high score and is paid for a"
            " low one, without limit: training learns the labels upside down.",
            f"It has no minimum. Far out along the direction of the last steps it falls by {n_(-f.slope, 3)} for every"
            " unit of length, for ever: down to minus infinity.",
            Picture(lambda theme: _losses(f, theme), "Both losses as functions of the score, for the two labels. For"
                    " the label 1 the posted one is a straight line without a lower end; the hinge stops at zero."),
        )),
        Scene(BEST, (
            f"The hinge loss max(0, 1 − label × score), averaged over the rows, has the optimum {value}. Sightline"
            f" reaches it and proves it to within {n_(f.certificate.gap, 1)}, by its {f.certificate.method}.",
            f"There {share(f.accuracy)} of the labels are told rightly; {FLIPS} of the {ROWS} had been flipped.",
            Code('sl.fit(X, y, loss="hinge")'),
        )),
        Scene(REACHES, (
            "The right loss is one line of PyTorch, and the same optimizer then walks to the same optimum:",
            Code("loss = (1 - labels * scores).clamp(min=0).mean()"),
            Table(("step", "above the optimum"), tuple((f"{s:,}", n_(g, 3)) for s, g in f.course), words=()),
            f"After {left[0]:,} steps it is {n_(left[1], 2)} above. A constant learning rate stays about there: the"
            f" hinge has a kink, so the gradient does not fade near the optimum and the steps jump over it.",
            Picture(lambda theme: _gaps(f, theme), "How far gradient descent on the right loss is above the optimum."),
        )),
        Scene("And the recall that was promised", _recall_parts(f)),
    )  # fmt: skip
    return Story(
        1, "hinge", "Noisy labels and the hinge loss",
        "A loss is called hinge, so it was taken for the hinge loss. It falls to minus infinity. Why?",
        (
            ("Tried", "`nn.HingeEmbeddingLoss` on the scores of a linear model"),
            ("It gave", f"loss {n_(last[1], 3)} after {last[0]:,} steps, still falling; {share(last[2])} of the rows"
             f" right"),
            ("The optimum", f"of the true hinge loss: {value}, proven; {share(f.accuracy)} right"),
            ("Why", "for label 1 that loss is the score itself: it has no lower end"),
            ("What reaches it", f"`(1 - t * s).clamp(min=0).mean()`: within {n_(left[1], 1)} in {left[0]:,} steps;"
             " `sl.fit` exactly"),
        ),
        scenes,
        "after the recall example of TensorFlow Constrained Optimization, in PyTorch",
    )  # fmt: skip


def _recall_parts(f: Facts) -> tuple[Part, ...]:
    """What a recall of 90 % costs, in hinge loss and in precision."""
    found = round(f.recall * f.positives)
    first = (
        f"A small loss is not a high recall. At the optimum {found} of the {f.positives} positive rows are found,"
        f" {share(f.recall)}. More has its price:"
    )
    optimum = ("the optimum, as it is", n_(f.certificate.value, 4), share(f.recall), share(f.precision))
    rows = (optimum, *((way.name, n_(way.loss, 4), share(way.recall), share(way.precision)) for way in f.ways))
    return (
        first,
        Table(("model", "hinge loss", "recall", "precision"), rows),
        *_price(f),
        "All three hold on these rows. None of them promises anything for rows not seen yet.",
    )


def _price(f: Facts) -> tuple[Part, ...]:
    if f.price is None:
        return ()
    return (
        f"The last row is the best model whose mean hinge loss over the positive rows is at most {n_(1 - WANTED, 1)},"
        f" a convex problem. The multiplier of that constraint, {n_(f.price, 4)}, is its price: what the loss falls by"
        f" for each unit that it is let out.",
    )


def _losses(f: Facts, theme: str) -> Any:
    """The posted loss and the hinge over the score, with the rows' scores."""
    from sightline import show

    posted = nn.HingeEmbeddingLoss(reduction="none")
    return show.loss_of_score(f.runs["right"], losses={"HingeEmbeddingLoss": posted}, theme=theme)


def _gaps(f: Facts, theme: str) -> Any:
    from sightline import show

    return show.gap({"gradient descent, hinge loss": f.runs["right"]}, theme=theme)
