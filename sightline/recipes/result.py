"""Training: what a recipe gives."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from sightline.certificate import Certificate
from sightline.losses import Loss
from sightline.recipes.recipe import Recipe
from sightline.recipes.trace import TrainingTrace
from sightline.result import Result

if TYPE_CHECKING:
    from sightline.objective import Weights
    from sightline.recipes.minimised import Minimised
    from sightline.recipes.objective import RecipeObjective


class Ending(Protocol):
    """A training's end, which is examined when it is asked for."""

    @property
    def examined(self) -> tuple[dict[str, Any], Any, Any]:
        """Values of the fields ``OF_THE_PROBLEM``, and more."""

    @property
    def certified(self) -> dict[str, Any]:
        """Values of the fields ``OF_THE_CERTIFICATE``."""


@dataclass(frozen=True)
class Kept:
    """A convex problem without its rows.

    factor, constant : as ``Minimised`` has them.  bias_strength : L2 strength on the intercept.
    row_weights : (n,) float64, None where all rows weigh alike.
    """

    factor: float
    constant: float
    bias_strength: float
    row_weights: Tensor | None = None


OF_THE_PROBLEM = (
    "weight", "bias", "loss", "penalty", "fit_intercept", "classes", "rows", "total_weight", "X", "y", "minimised",
)  # fmt: skip
OF_THE_CERTIFICATE = ("certificate", "sentence")


@dataclass(frozen=True)
class Training(Result):
    """A training that a recipe made, with its trace, and the certificate of its end.

    Beside what every ``Result`` has (``weight`` (K, p), ``bias`` (K,), ``loss``, ``penalty``, ``columns``, ...):

    module : the module, trained in place.  recipe : what trained it.
    X, y : all rows, (n, ...) tensors, by reference; None where they could not be collected or were not kept.
    minimised : the convex problem that the recipe was solving; None where it was not solving one.
    certificate : of the last weights, in the units of ``objective``; None where nothing convex is minimised.
    sentence : what the end means: how far it is from which optimum, or why there is no certificate.
    trace : see ``TrainingTrace``.
    stopped : '' where all epochs were run, else why not: 'interrupted', 'time_limit=3 s', 'diverged in step 17'.
    engine : 'exact', 'compiled', or 'exact, because ...' where the compiled one was asked for and would not have paid.
    n_iter : steps taken.  seconds : what they took.
    kept : what a file keeps of ``minimised``, which is None in a loaded training; None where there is nothing.

    For a module that is not linear ``weight`` and ``bias`` are empty and ``certificate``, ``minimised``, ``loss`` None.

    What was being solved, its certificate and the sentence are found when they are first asked for, which takes as long
    as a fit; X and y must not be written to before (if they were, the sentence says so).
    """

    # A recipe may have no convex problem: then there is no certificate and no loss of ours.
    certificate: Certificate | None  # type: ignore[assignment]
    loss: Loss | None  # type: ignore[assignment]
    trace: TrainingTrace = field(default_factory=TrainingTrace, repr=False)
    module: nn.Module | None = field(default=None, repr=False)
    recipe: Recipe = field(default_factory=Recipe)
    X: Tensor | None = field(default=None, repr=False)
    y: Tensor | None = field(default=None, repr=False)
    minimised: Minimised | None = field(default=None, repr=False)
    sentence: str = ""
    stopped: str = ""
    engine: str = "exact"
    seconds: float = 0.0
    kept: Kept | None = field(default=None, repr=False)

    @classmethod
    def ended(cls, ending: Ending, **known: Any) -> Training:
        """What is ``known`` of a training, and its end, from which all else follows when it is asked for."""
        training = object.__new__(cls)
        vars(training).update(known, _ending=ending)
        return training

    def __getstate__(self) -> dict[str, Any]:
        """Everything, examined: what is pickled or copied needs nothing of the training's data any more."""
        for name in (*OF_THE_PROBLEM, *OF_THE_CERTIFICATE):
            getattr(self, name)
        return {name: value for name, value in vars(self).items() if name != "_ending"}

    @property
    def objective(self) -> RecipeObjective | None:
        """The convex problem, whose ``value(weights)`` is the trace's ``value``; None where there is none."""
        return None if self.minimised is None else self.minimised.objective

    @property
    def weights(self) -> Weights | None:
        """The last weights: coef (p,) or (p, K), intercept () or (K,), float64; None where the module is not linear."""
        return self._as_weights(self.weight, self.bias) if self.weight.numel() else None

    @staticmethod
    def _as_weights(weight: Tensor, bias: Tensor) -> Weights:
        from sightline.objective import Weights

        weight, bias = weight.double(), bias.double()
        return Weights(weight[0], bias[0]) if len(bias) == 1 else Weights(weight.T, bias)

    @cached_property
    def optimum(self) -> Result | None:
        """The certified optimum of ``objective``, found once: weights and certificate as ``sl.fit`` gives them.

        Where its verdict is NO_MINIMUM the weights grow for ever; ``certificate.witness`` is the direction.
        """
        if self.minimised is None:
            return None
        return self.minimised.optimum_result()

    @property
    def optimum_weights(self) -> Weights | None:
        """The optimum's weights in the form of ``trace.weights``."""
        if self.minimised is not None:
            return self.minimised.optimum
        return None if self.optimum is None else self._as_weights(self.optimum.weight, self.optimum.bias)

    def scores(self, X: Any, offset: Any = None) -> Tensor:
        """X W' + b as ``Result.scores``; where the module is not linear, its outputs on X."""
        from sightline.affine import quiet

        if self.weight.numel() or self.module is None:
            return super().scores(X, offset)
        with quiet(self.module):
            out: Tensor = self.module(torch.as_tensor(X, dtype=next(self.module.parameters()).dtype))
        return out

    def predict(self, X: Any, offset: Any = None) -> Any:
        """As ``Result.predict``; where no loss of Sightline's was trained with, the scores."""
        return self.scores(X, offset) if self.loss is None else super().predict(X, offset)

    def predict_proba(self, X: Any, offset: Any = None) -> Tensor:
        """As ``Result.predict_proba``."""
        self._need_loss("predict_proba")
        return super().predict_proba(X, offset)

    def certify(self, X: Any, y: Any, **options: Any) -> Certificate:
        """As ``Result.certify``: with the training's loss and the penalty on its weights.

        Raises
        ------
        ValueError : no loss of Sightline's was trained with, or weight decay covered the bias, which no penalty of
            ``sl.certify`` does, and no other penalty is given.
        """
        if "loss" not in options:
            self._need_loss("certify")
        held = self.minimised is not None and self.minimised.bias_included
        if held and not options.keys() & {"penalty", "strength", "C"}:
            raise ValueError(
                "the weight decay of this training covers the bias, which no penalty of sl.certify does; its own"
                " certificate is .certificate. For another problem say penalty='l2', strength=..., or penalty='none'."
            )
        return super().certify(X, y, **options)

    def to_module(self, output: str = "scores") -> nn.Module:
        """As ``Result.to_module``; where the module is not linear, the trained module itself."""
        if not self.weight.numel() and self.module is not None and output == "scores":
            return self.module
        if output != "scores":
            self._need_loss(f"to_module(output={output!r})")
        return super().to_module(output)

    def report(
        self, path: str | os.PathLike[str], X: Any = None, y: Any = None, *, sample_weight: Any = None,
        offset: Any = None,
    ) -> Path:
        """As ``Result.report``, on the training's own rows where none are given; ``sl.show.report`` replays it."""
        self._need_loss("report")
        if X is None and y is None and self.X is not None and self.y is not None:
            X, y = self.X.reshape(len(self.X), -1), self.y
        return super().report(path, X, y, sample_weight=sample_weight, offset=offset)

    def _need_loss(self, what: str) -> None:
        if self.loss is None:
            raise ValueError(f"{what} needs a linear model and a loss of Sightline's. {self.sentence}")

    def saved_parts(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """What a model file holds of it beside the model: recipe, trace and optimum."""
        from sightline.recipes.saving import parts

        return parts(self)

    def __str__(self) -> str:
        """The recipe, where it ended, and what that means."""
        lines = [str(self.recipe), f"{self.n_iter:,} steps in {self.seconds:.3g} s"]
        if self.stopped:
            lines[-1] += f", {self.stopped}"
        if self.engine != "exact":
            lines[-1] += f"; engine {self.engine}"
        return "\n".join([*lines, self.sentence])


class _Late:
    """A field of a ``Training`` whose value is found when it is first asked for, and kept where fields are kept."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, training: Training | None, owner: type) -> Any:
        if training is None or "_ending" not in vars(training):
            raise AttributeError(self.name)
        ending: Ending = vars(training)["_ending"]
        vars(training).update(ending.examined[0])
        if self.name in OF_THE_CERTIFICATE:
            vars(training).update(ending.certified)
        return vars(training)[self.name]


# Fields that a training was made with are found before these, as attributes of the instance.
for _name in (*OF_THE_PROBLEM, *OF_THE_CERTIFICATE):
    setattr(Training, _name, _Late(_name))
