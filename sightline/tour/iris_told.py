"""Case 5: iris, virginica or not, as it is told."""

from __future__ import annotations

from typing import Any

from sightline.tour.iris import BATCH, DISTANCES, EPOCHS, RATE, End, Facts, Three
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
    vector,
)
from sightline.tour.story import number as n_


def story(f: Facts) -> Story:
    """The case, told."""
    sgd, best = _of(f, "SGD"), f.certificate
    wild = _of(f, "momentum")
    flattest, steepest = f.eigenvalues[0], f.eigenvalues[-1]
    scenes = (
        Scene(TRIED, (
            "A notebook teaches logistic regression in PyTorch on 100 irises: is it virginica, by four measures,"
            " without intercept? It takes the gradient by hand and by autograd, then trains with L-BFGS, SGD by hand,"
            f" SGD, momentum and Adam: {EPOCHS} epochs, batches of {BATCH}, learning rate {RATE}.",
            Code(
                "nn.Sequential(nn.Linear(4, 1, bias=False), nn.Sigmoid())\n"
                'nn.Sequential(OrderedDict([("linear", nn.Linear(4, 1, bias=False)),\n'
                '                           ("probability", nn.Sigmoid())]))\n'
                "class Model(nn.Module): ...  # forward: torch.sigmoid(self.linear(x))"
            ),
            _kinds(f),
            f"Nor does who computes the gradient: X'(p − y)/n by hand and autograd differ by"
            f" {n_(f.gradients_differ, 1)}.",
            f"Nor who takes the step. {_by_hand(f)}",
        )),
        Scene(GAVE, (
            Table(
                ("optimizer", "above the optimum", "lowest on the way", "right, train", "right, test"),
                tuple(
                    (e.name, n_(e.above, 3), n_(e.lowest, 2), share(e.train), share(e.test))
                    for e in f.ends if e.name != ADDED
                ),
            ),
            f"L-BFGS is there after two steps, of up to 20 iterations each: the loss was"
            f" {', '.join(n_(v, 6) for v in f.lbfgs[:3])}. The others are not, after {sgd.steps}. The notebook"
            f" concludes that SGD is a bad optimizer.",
            f"Momentum had come within {n_(wild.lowest, 1)} and was thrown off again: with momentum 0.9 steady"
            f" gradients add up to steps ten times as long, and every batch of {BATCH} points somewhere else.",
            Picture(lambda theme: _gaps(f, theme), "The distance above the optimum by step, both on logarithmic"
                    " scales."),
        )),
        Scene(BEST, (
            f"Weights {vector(f.weights, 5)}, mean loss {n_(best.value, 10)}, proven to within {n_(best.gap, 1)}.",
            f"scikit-learn with C = 1e5 says {vector(f.peer, 5)}: the small penalty that C = 1e5 is, and no more, is"
            f" the difference. Of the 50 irises held out the optimum tells {share(f.test)} rightly and scikit-learn's"
            f" weights {share(f.peer_test)}; these have the loss {n_(f.peer_loss, 5)} there, and the gradient"
            f" {vector(f.peer_gradient, 3)}.",
            Code('sl.fit(X, y, loss="logistic", fit_intercept=False)'),
        )),
        Scene(WHY, (
            f"The loss is a valley. Its curvature at the optimum is {n_(steepest, 4)} across and {n_(flattest, 3)}"
            f" along, a ratio of {n_(f.condition, 4)}. Farther out it is steeper, up to {n_(f.steepest, 4)}, so beyond"
            f" a learning rate of 2/{n_(f.steepest, 4)} = {n_(2 / f.steepest, 3)} descent may diverge: {RATE} is near"
            f" the most there is.",
            f"With it, near the optimum, a step goes {n_(RATE * flattest, 2)} of the way along the valley. {sgd.steps}"
            f" steps go {share(1 - (1 - RATE * flattest) ** sgd.steps)} of it.",
            Picture(lambda theme: _valley(f, theme), "Each eigen-direction by its curvature, and how much of the way is"
                    " still to go in it. The three on the left are the valley; in the steep one the batches, each a"
                    " little different, throw the weights about."),
            *_steps(f),
        )),
        Scene(REACHES, (
            "A method that knows the curvature: L-BFGS, or `sl.fit`. Not a longer training, and not another way to"
            " write the module.",
            Code('optimizer = torch.optim.LBFGS(model.parameters(), history_size=10)\noptimizer.step(closure)'),
            Replay(f.runs["SGD"], "SGD on the four weights, seen in the plane that holds most of its path."),
        )),
        Scene("All three irises", _three_parts(f.three)),
    )  # fmt: skip
    return Story(
        5, "iris", "Iris: is SGD a bad optimizer?",
        "Five ways to train one model of four weights. L-BFGS agrees with scikit-learn, the others do not. Why?",
        (
            ("Tried", f"L-BFGS, SGD, momentum and Adam, {EPOCHS} epochs, batches of {BATCH}, learning rate {RATE}"),
            ("It gave", f"SGD {n_(sgd.above, 3)} above the optimum, Adam {n_(_of(f, 'Adam').above, 2)}, momentum"
             f" {n_(wild.above, 2)}, L-BFGS {n_(_of(f, 'L-BFGS').above, 1)}"),
            ("The optimum", f"mean loss {n_(best.value, 10)}, proven to within {n_(best.gap, 1)}"),
            ("Why", f"a valley {n_(f.condition, 4)} times as steep across as along: {sgd.steps} steps go"
             f" {share(1 - (1 - RATE * flattest) ** sgd.steps)} of its length"),
            ("What reaches it", f"L-BFGS in two steps; full-batch descent at this rate {_needs(f)}"),
        ),
        scenes,
        "the notebook logreg_pytorch of Probabilistic Machine Learning",
    )  # fmt: skip


ADDED = "SGD by hand, added"


def _needs(f: Facts) -> str:
    if f.counted:
        return f"took {f.counted[-1][1]:,}, run and counted"
    return f"would take some {round(f.predicted, -4):,}"


def _of(f: Facts, name: str) -> End:
    return next(e for e in f.ends if e.name == name)


def _kinds(f: Facts) -> str:
    """Whether the way in which a module is written matters."""
    same = [e.same for e in f.ends]
    if None in same:
        return "How it is written does not matter."
    if all(same):
        return "How it is written does not matter: all three take the same steps, bit for bit, with every optimizer."
    return "How it is written should not matter, though here the three did not take the same steps."


def _by_hand(f: Facts) -> str:
    """Whether the loop without an optimizer is the optimizer's."""
    same = "`params.add_(params.grad, alpha=-lr)` gives the weights of `torch.optim.SGD`"
    same += ", bit for bit, in all steps" if f.added == 0 else f" to {n_(f.added, 1)}"
    if f.by_hand == 0:
        return f"{same}, and so does `params -= lr * params.grad`."
    return (
        f"{same}. `params -= lr * params.grad` rounds once more, after the product, and differs by {n_(f.by_hand, 1)}"
        f" at most."
    )


def _steps(f: Facts) -> tuple[Part, ...]:
    """How many steps it would take, computed and counted."""
    target = n_(DISTANCES[-1], 1)
    computed = (
        f"How many would it take? In the flattest direction the distance above the optimum falls to a tenth in"
        f" {n_(f.per_digit, 5)} steps. From where SGD stopped to {target} above the optimum that makes"
        f" {f.predicted:,} full-batch steps, computed from the curvature at the optimum."
    )
    if not f.counted:
        return (computed,)
    rows, before = [], 0
    for distance, step in f.counted:
        rows.append((n_(distance, 1), f"{step:,}", f"{step - before:,}"))
        before = step
    last = f.counted[-1][1] - f.counted[-2][1]
    return (
        computed,
        "Then they were run, all of them:",
        Table(("above the optimum", "reached at step", "steps for this digit"), tuple(rows), words=()),
        f"It took {f.counted[-1][1]:,}. Far out the valley is a little steeper than at its end, so the first digits"
        f" come sooner; the last one took {last:,} steps, against {n_(f.per_digit, 5)} computed.",
    )


def _three_parts(t: Three) -> tuple[Part, ...]:
    same = f"weights that differ by {n_(t.difference, 1)}"
    if t.same:
        same = "the same weights after every step, bit for bit"
    return (
        "The notebook leaves several classes as an exercise. Scores and `nn.CrossEntropyLoss`, or `nn.LogSoftmax` and"
        f" `nn.NLLLoss`: they are one loss, and L-BFGS gives {same}.",
        Code(
            "nn.CrossEntropyLoss()(scores, y)\n"
            "nn.NLLLoss()(torch.log_softmax(scores, dim=1), y)  # the same number"
        ),
        f"It is right on {share(t.right)} of all 150 flowers. But this problem has no optimum"
        f" ({t.certificate.verdict.name}): setosa is told from the others by its petals alone, so its weights grow for"
        f" ever while the loss falls to {n_(t.certificate.value, 8)} and never gets there. The training is"
        f" {n_(t.above, 1)} above it. A penalty on the weights gives it an optimum.",
    )


def _gaps(f: Facts, theme: str) -> Any:
    from sightline import show

    chosen = ("L-BFGS", "SGD", "momentum", "Adam")
    return show.gap({name: f.runs[name] for name in chosen}, against="steps", theme=theme)


def _valley(f: Facts, theme: str) -> Any:
    from sightline import show

    return show.curvature(f.runs["SGD"], theme=theme)
