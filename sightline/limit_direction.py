"""``implicit_bias``: the direction that a training tends to, how far it still is from it, and when it will be there."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from sightline.certificate import Certificate, Verdict
from sightline.data import make_data
from sightline.exact import Floats
from sightline.largest_margin_rows import difference_rows, largest_linf
from sightline.losses import Logistic, Softmax
from sightline.max_margin import maximum_margin
from sightline.objective import Objective
from sightline.overlap import OverlapError
from sightline.penalties import L2, NONE
from sightline.recipes.minimised import Minimised
from sightline.recipes.objective import RecipeObjective
from sightline.recipes.optimizers import optimizer_class
from sightline.recipes.recipe import Recipe
from sightline.recipes.result import Training
from sightline.theory_of_optimizers import Theory, theory_of, theory_of_optimum


@dataclass(frozen=True)
class ImplicitBias:
    """Where a training tends to.

    target : 'maximum margin' (the weights grow for ever in its direction), 'penalised optimum' (weight decay holds
        them at a point), 'optimum' (the classes overlap), or 'unknown'.
    norm : 'l2', 'linf', or None.  intercept : 'in the norm', 'free', or 'none' where there is none.
    coef, intercept_value : (K, p) and (K,) float64, K = 1 for two classes: for a maximum margin scaled to least margin
        1, else the optimum itself.  margin : 1 / the norm of the scaled weights; nan for optima.
    certificate : of the target.
    angle : degrees between the training's weights (with the intercept where that is in the norm) and the target; nan
        where no training was given.
    turn : degrees between the target's normal w and that of the maximum margin with a free intercept, which is where
        one expects the boundary; nan where there is none, or more than two classes.
    theory : what is proven and what is not, with the sources.  sentence : all of it in words.
    """

    target: str
    norm: str | None
    intercept: str
    coef: Floats
    intercept_value: Floats
    margin: float
    certificate: Certificate | None
    angle: float
    turn: float
    theory: Theory
    sentence: str
    _pace: _Pace = field(repr=False, default=None)  # type: ignore[assignment]

    def steps(self, degrees: float = 1.0) -> float:
        """Steps until the angle is ``degrees``: those still to come of a training, or all of a recipe begun at zero.

        By the known rates, to leading order; inf beyond 1e300, 0 where it is that near already, nan where no rate is
        known.

        Raises
        ------
        ValueError : an angle that is not between 0 and 90 degrees.
        """
        if not 0 < degrees < 90:
            raise ValueError(f"degrees={degrees!r}; it must lie between 0 and 90.")
        if self.angle <= degrees:
            return 0.0
        return self._pace.steps(math.radians(degrees))

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True)
class _Pace:
    """What the rate is made of.

    kind : as ``Theory.pace``, 'decay' for a penalised optimum.  weights : now, flat, None at a start from zero.
    limit : the target, flat.  taken : steps so far.  rate : learning rate (divided by 1 - momentum).
    offset : w̃ of w(t) = ŵ log t + w̃, for a start from zero.  strength : weight decay.
    radius, rows : longest row and number of rows.
    """

    kind: str
    weights: Floats | None
    limit: Floats
    taken: int
    rate: float
    offset: Floats | None
    strength: float
    radius: float
    rows: int

    def steps(self, angle: float) -> float:
        length = float(np.linalg.norm(self.limit))
        if self.kind == "decay":
            if self.weights is None or not self.rate * self.strength > 0:
                return math.nan
            return math.log(_angle(self.weights, self.limit) / angle) / (self.rate * self.strength)
        if self.kind not in ("log", "linear", "quadratic") or not length > 0:
            return math.nan
        begin = self.weights if self.weights is not None else self.offset
        if self.kind == "log" and begin is not None:
            # ŵ grows by log t along itself and what is across it stays (Soudry et al. 2018, theorem 3).
            u = self.limit / length
            along = float(begin @ u)
            across = float(np.linalg.norm(begin - along * u))
            power = (across / math.tan(angle) - along) / length
            taken = max(self.taken, 1)
            if power > 690 - math.log(taken):
                return math.inf
            total = taken * math.exp(power)
            return max(total - self.taken, 0.0)
        if self.kind == "linear" and self.weights is not None:
            u = self.limit / length
            along = float(self.weights @ u)
            across = float(np.linalg.norm(self.weights - along * u))
            return max(math.ceil((across / math.tan(angle) - along) / self.rate), 0.0)
        # cos(angle) is at least the margin over the largest one; the rates of margins are those of the papers.
        missing = 1 - math.cos(angle)
        relative = 1 / (length * self.radius)
        several = max(math.log(self.rows), 1.0)
        if self.kind == "quadratic":
            return math.ceil(2 * math.sqrt((1 + several) / missing) / relative)
        return math.ceil(several / (relative**2 * missing))


def implicit_bias(result: Training | Recipe, X: Any = None, y: Any = None, *, intercept: bool = True) -> ImplicitBias:
    """The direction that a training with a logistic loss or cross-entropy tends to.

    Parameters
    ----------
    result : what ``sl.train`` gave for a linear module, or a ``Recipe``, which stands for ``nn.Linear`` begun at zero.
    X, y : rows (n, p) and labels (n,), for a recipe; a training has its own.
    intercept : for a recipe, whether the linear layer has a bias.

    Raises
    ------
    ValueError : the module is not linear, or its loss is neither logistic nor cross-entropy; a recipe without rows.
    DataError : rows that cannot be used.

    Source: see ``ImplicitBias.theory.sources``; S. Gunasekar et al., "Characterizing implicit bias in terms of
    optimization geometry", ICML 2018, for the norm of each method.
    """
    if not isinstance(result, Recipe | Training):
        kind = type(result).__name__
        raise ValueError(f"implicit_bias takes what sl.train gave, or a Recipe with X and y, not {kind}.")
    recipe = result if isinstance(result, Recipe) else result.recipe
    name, settings = _optimizer(result, recipe)
    minimised = _of_recipe(recipe, X, y, intercept) if isinstance(result, Recipe) else _of_training(result)
    objective = minimised.objective
    if objective.loss.name not in ("logistic", "softmax"):
        raise ValueError(
            f"the {objective.loss} loss does not fade like an exponential: its training ends at an optimum or stops"
            " when no row has a loss, so no direction is implied. implicit_bias is for logistic loss and cross-entropy."
        )
    batches = recipe.batch_size is not None and recipe.batch_size < objective.data.n
    if isinstance(result, Training):
        batches = batches or result.n_iter > recipe.epochs  # those of a DataLoader
    theory = theory_of(name, settings, batches)
    now = None if isinstance(result, Recipe) else _flat(result.weight, result.bias, objective.intercept)
    taken = 0 if isinstance(result, Recipe) else result.n_iter
    rate = float(settings.get("lr") or 1e-3) / (1 - float(settings.get("momentum") or 0.0)) * minimised.factor
    return _answer(objective, minimised, theory, now, taken, rate)


def _answer(
    objective: RecipeObjective, minimised: Minimised, theory: Theory, now: Floats | None, taken: int, rate: float
) -> ImplicitBias:
    held = objective.penalty.l2 > 0 or objective.bias_strength > 0
    X = objective.data.design.to_dense().double().cpu().numpy()
    codes = objective.data.y.cpu().numpy()
    rows = difference_rows(X, codes, objective.outputs, objective.intercept)
    where = ("in the norm" if not held or objective.bias_strength > 0 else "free") if objective.intercept else "none"
    free = _free_normal(X, codes, objective)
    shape = (objective.outputs or 1, X.shape[1])
    if held:
        return _at_optimum("penalised optimum", objective, minimised, theory, now, taken, rate, where, free)
    try:
        found = maximum_margin(rows, np.ones(len(rows)), intercept=False)
    except OverlapError:
        return _at_optimum("optimum", objective, minimised, theory, now, taken, rate, where, free)
    if theory.norm is None:
        return _make("unknown", theory, where, np.full(rows.shape[1], math.nan), shape, objective, math.nan, None, now,
                     free, None)  # fmt: skip
    if theory.norm == "linf":
        flat, margin, certificate = largest_linf(rows)
        return _make("maximum margin", theory, where, flat, shape, objective, margin, certificate, now, free, None)
    offset: Floats | None = None
    if now is None and theory.pace == "log":
        # α = rate / n · exp(-z·w̃) on the support rows (Soudry et al. 2018, equation 7).
        goal = -np.log(found.multipliers * objective.n / rate)
        offset = np.asarray(np.linalg.lstsq(rows[found.support], goal, rcond=None)[0], dtype=np.float64)
    radius = float(np.sqrt(np.einsum("ij,ij->i", rows, rows).max()))
    pace = _Pace(theory.pace, now, found.coef, taken, rate, offset, 0.0, radius, len(rows))
    return _make(
        "maximum margin", theory, where, found.coef, shape, objective, found.margin, found.certificate, now, free, pace
    )


def _at_optimum(
    target: str, objective: RecipeObjective, minimised: Minimised, theory: Theory, now: Floats | None, taken: int,
    rate: float, where: str, free: Floats | None,
) -> ImplicitBias:
    certificate = minimised.solution.certificate
    best = minimised.optimum
    shape = (objective.outputs or 1, objective.p)
    flat = _flat(best.coef.reshape(objective.p, -1).T, best.intercept.reshape(-1), objective.intercept)
    if certificate.verdict is Verdict.NO_MINIMUM:
        # Quasi-complete: some rows are separated, the others hold part of the weights (Ji & Telgarsky 2019).
        return _make("unknown", theory, where, np.full(len(flat), math.nan), shape, objective, math.nan, certificate,
                     now, free, None)  # fmt: skip
    theory = theory_of_optimum(target == "penalised optimum")
    strength = objective.penalty.l2 if objective.bias_strength or not objective.intercept else 0.0
    pace = _Pace("decay", now, flat, taken, rate, None, strength, 0.0, objective.n)
    return _make(target, theory, where, flat, shape, objective, math.nan, certificate, now, free, pace)


def _make(
    target: str, theory: Theory, where: str, flat: Floats, shape: tuple[int, int], objective: Objective,
    margin: float, certificate: Certificate | None, now: Floats | None, free: Floats | None, pace: _Pace | None,
) -> ImplicitBias:
    K, p = shape
    table = flat.reshape(K, -1)
    coef = table[:, :p]
    bias = table[:, p] if objective.intercept else np.zeros(K)
    angle = math.nan if now is None else math.degrees(_angle(now, flat))
    turn = math.nan if free is None else math.degrees(_angle(coef.reshape(-1), free))
    empty = _Pace("", None, flat, 0, 0.0, None, 0.0, 0.0, 0)
    made = ImplicitBias(
        target, theory.norm, where, coef.copy(), bias.copy(), margin, certificate, angle, turn, theory, "",
        pace or empty,
    )
    return ImplicitBias(**{**vars(made), "sentence": _in_words(made)})


def _in_words(found: ImplicitBias) -> str:
    norms = {"l2": "l2", "linf": "l-infinity"}
    if found.target == "maximum margin":
        bias = {"in the norm": ", with the bias in the norm", "free": ", with a free intercept", "none": ""}
        text = (
            f"The weights grow for ever, in the direction of the largest {norms[found.norm or 'l2']} margin,"
            f" {found.margin:.6g}{bias[found.intercept]}."
        )
    elif found.target == "penalised optimum":
        text = (
            "Weight decay holds the weights: they settle at the penalised optimum, which is nearer to the maximum"
            " margin the weaker the decay is."
        )
    elif found.target == "optimum":
        text = "The classes overlap: the weights settle at the optimum, and no margin plays a part."
    else:
        text = "Where the weights tend to is not known."
    if math.isfinite(found.turn) and found.turn > 1e-6:
        text += f" Its boundary is turned by {found.turn:.3f} degrees from that of the maximum margin with a free"
        text += " intercept."
    if math.isfinite(found.angle):
        text += f" The training is {found.angle:.3g} degrees away from it"
        more = found.steps(1.0)
        text += "." if math.isnan(more) else f"; one degree takes {_count(more)} more steps." if more else "."
    elif found.target == "maximum margin" and not math.isnan(found.steps(1.0)):
        text += f" From zero, one degree takes about {_count(found.steps(1.0))} steps."
    sources = f" ({'; '.join(found.theory.sources)})" if found.theory.sources else ""
    return f"{text} Proven: {found.theory.proven}{sources}. Not known: {found.theory.open}."


def _count(steps: float) -> str:
    return "more than 1e300" if math.isinf(steps) else f"{steps:,.0f}" if steps < 1e6 else f"{steps:.1e}"


def _angle(a: Floats, b: Floats) -> float:
    """Between two vectors, in radians, without loss of digits for small angles (Kahan); nan where one is zero."""
    la, lb = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if not (la > 0 and lb > 0):
        return math.nan
    u, v = a / la, b / lb
    return 2 * math.atan2(float(np.linalg.norm(u - v)), float(np.linalg.norm(u + v)))


def _flat(weight: torch.Tensor, bias: torch.Tensor, intercept: bool) -> Floats:
    """Weight (K, p) and bias (K,) as the vector of class after class that the rows go with."""
    w, b = weight.double().cpu(), bias.double().cpu()
    return (torch.cat([w, b[:, None]], 1) if intercept else w).reshape(-1).numpy()


def _free_normal(X: Floats, codes: Floats, objective: Objective) -> Floats | None:
    """w of the maximum margin with a free intercept, where there are two classes and it exists."""
    if objective.outputs is not None or not objective.intercept:
        return None
    try:
        return maximum_margin(X, np.sign(codes)).coef
    except OverlapError:
        return None


def _optimizer(result: Training | Recipe, recipe: Recipe) -> tuple[str, dict[str, Any]]:
    """Name of the optimizer's class in lower case, and its settings."""
    made = recipe.optimizer
    if isinstance(made, str | type):
        kind: Any = optimizer_class(made)
        settings = dict(recipe.arguments)
        if recipe.lr is not None:
            settings["lr"] = recipe.lr
        if recipe.weight_decay is not None and not isinstance(recipe.weight_decay, dict):
            settings["weight_decay"] = recipe.weight_decay
        elif kind is torch.optim.AdamW:
            settings["weight_decay"] = 1e-2
        return kind.__name__.lower(), settings
    if isinstance(made, torch.optim.Optimizer):
        return type(made).__name__.lower(), dict(made.param_groups[0])
    if isinstance(result, Training):
        return result.solver.removeprefix("recipe: ").lower(), {}
    raise ValueError("optimizer= is a function: run the recipe with sl.train and give its result.")


def _of_training(result: Training) -> Minimised:
    if result.minimised is None:
        raise ValueError(f"no direction is known for this training: {result.sentence}")
    return result.minimised


def _of_recipe(recipe: Recipe, X: Any, y: Any, intercept: bool) -> Minimised:
    """The problem of ``nn.Linear`` under this recipe."""
    if X is None or y is None:
        raise ValueError("a Recipe has no rows: give X and y, or the result of sl.train.")
    labels = y.detach().cpu().numpy() if isinstance(y, torch.Tensor) else np.asarray(y)
    loss = Logistic() if len(np.unique(labels)) <= 2 else Softmax()
    data = make_data(X, labels, loss)
    decay = recipe.weight_decay
    coupled = optimizer_class(recipe.optimizer) is not torch.optim.AdamW if isinstance(
        recipe.optimizer, str | type
    ) else True
    if isinstance(decay, float | int) and coupled:
        weight, bias = float(decay), float(decay) if recipe.decay == "all" and intercept else 0.0
    elif decay is not None and not isinstance(decay, float | int):
        weight, bias = float(decay.get("weight", 0.0)), float(decay.get("bias", 0.0))
    else:
        weight = bias = 0.0
    if bias and not weight:
        raise ValueError("weight decay on the bias alone is a problem that Sightline does not solve.")
    objective = RecipeObjective(data, loss, L2(weight) if weight else NONE, intercept, bias)
    return Minimised(objective, 1.0, "mean logistic loss")
