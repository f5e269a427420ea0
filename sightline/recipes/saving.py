"""What a model file holds of a training beside the model: its recipe, its trace and its optimum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from sightline.objective import Weights
from sightline.recipes.recipe import Recipe
from sightline.recipes.result import Kept, Training
from sightline.recipes.trace import TrainingTrace
from sightline.result import Result

LISTS = ("step", "epoch", "batch_loss", "learning_rate", "seconds", "value", "loss", "gradient_norm", "gap")


def parts(training: Training) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """A JSON record, and the tensors beside it.

    Functions and classes of a recipe are kept by their names; the module's code and the data are not kept.
    """
    trace = training.trace
    tensors = {f"training.{name}": torch.tensor(getattr(trace, name), dtype=torch.float64) for name in LISTS}
    path = [weights for _, weights in trace.weights]
    names: list[str] = []
    if path and isinstance(path[0], Weights):
        tensors["training.coef"] = torch.stack([w.coef for w in path])
        tensors["training.intercept"] = torch.stack([w.intercept for w in path])
    elif path:
        names = [name for name, tensor in path[0].items() if tensor.dtype in (torch.float32, torch.float64)]
        for i, name in enumerate(names):
            tensors[f"training.state.{i}"] = torch.stack([state[name] for state in path])
    record: dict[str, Any] = {
        "recipe": recipe_record(training.recipe), "sentence": training.sentence, "stopped": training.stopped,
        "took": training.seconds, "rule": trace.rule, "names": names, "optimum": None,
    }  # fmt: skip
    kept = _kept(training)
    if kept is not None:
        record["problem"] = {"factor": kept.factor, "constant": kept.constant, "bias_strength": kept.bias_strength}
        if kept.row_weights is not None:
            tensors["training.row_weights"] = kept.row_weights
    optimum = training.optimum
    if optimum is not None:
        tensors["training.optimum.weight"], tensors["training.optimum.bias"] = optimum.weight, optimum.bias
        record["optimum"] = {"certificate": optimum.certificate.to_dict(), "solver": optimum.solver}
    return record, tensors


def _kept(training: Training) -> Kept | None:
    problem = training.minimised
    if problem is None:
        return training.kept
    objective = problem.objective
    weight = objective.data.weight
    weight = None if weight is None else weight.double().cpu().contiguous()
    return Kept(problem.factor, problem.constant, objective.bias_strength, weight)


def restore(values: dict[str, Any], record: dict[str, Any], tensors: dict[str, Tensor]) -> Training:
    """The training, from the values of its ``Result`` and what ``parts`` gave.

    Raises
    ------
    ValueError : lists that do not belong together.
    """
    trace = _trace(record, tensors)
    training = Training(
        **{**values, "trace": trace}, recipe=Recipe(**record["recipe"]), sentence=str(record["sentence"]),
        stopped=str(record["stopped"]), seconds=float(record["took"]), kept=_kept_in(record, tensors),
    )
    if record["optimum"] is not None:
        from sightline.certificate import Certificate

        own = {f.name: getattr(training, f.name) for f in fields(Result)}
        own |= {
            "weight": tensors["training.optimum.weight"], "bias": tensors["training.optimum.bias"],
            "certificate": Certificate.from_dict(record["optimum"]["certificate"]),
            "solver": str(record["optimum"]["solver"]), "trace": TrainingTrace(),
        }  # fmt: skip
        if own["weight"].shape != training.weight.shape or own["bias"].shape != training.bias.shape:
            raise ValueError("the optimum has another shape than the weights.")
        training.__dict__["optimum"] = Result(**own)
    return training


def _kept_in(record: dict[str, Any], tensors: dict[str, Tensor]) -> Kept | None:
    """Files of before it was kept have none."""
    problem = record.get("problem")
    if problem is None:
        return None
    factor, constant, on_bias = (float(problem[name]) for name in ("factor", "constant", "bias_strength"))
    return Kept(factor, constant, on_bias, tensors.get("training.row_weights"))


def _trace(record: dict[str, Any], tensors: dict[str, Tensor]) -> TrainingTrace:
    lists = {name: tensors[f"training.{name}"].tolist() for name in LISTS}
    count = len(lists["step"])
    weights: list[Any] = []
    names = [str(name) for name in record["names"]]
    if "training.coef" in tensors:
        coef, intercept = tensors["training.coef"], tensors["training.intercept"]
        weights = [Weights(w, b) for w, b in zip(coef, intercept, strict=True)]
    elif names:
        columns = [tensors[f"training.state.{i}"].unbind(0) for i in range(len(names))]
        weights = [dict(zip(names, row)) for row in zip(*columns, strict=True)]
    if any(len(values) != count for values in lists.values()) or (weights and len(weights) != count):
        raise ValueError("the training's lists differ in length.")
    trace = TrainingTrace(str(record["rule"]))
    for name in ("epoch", "batch_loss", "learning_rate", "seconds"):
        setattr(trace, name, lists[name])
    trace.step = [int(step) for step in lists["step"]]
    judged = list(zip(lists["value"], lists["loss"], lists["gradient_norm"]))
    trace.fill(judged, lists["gap"], list(zip(trace.step, weights)))
    return trace


def recipe_record(recipe: Recipe) -> dict[str, Any]:
    """The recipe's settings as JSON has them; functions and classes by name, a start's tensors left out."""
    settings = {key: _plain(value) for key, value in vars(recipe).items() if key != "arguments"}
    if isinstance(recipe.start, Mapping):
        settings["start"] = "as given"
    return {**settings, **{key: _plain(value) for key, value in recipe.arguments.items()}}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Tensor):
        return value.tolist()
    return getattr(value, "__name__", type(value).__name__)
