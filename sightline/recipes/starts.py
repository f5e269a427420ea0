"""Where a training starts."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from sightline.recipes.recipe import STARTS, Recipe


def begin(module: nn.Module, recipe: Recipe) -> None:
    """Put the module's weights where the recipe starts.

    'torch' calls ``reset_parameters`` of every layer that has it, in the order of ``module.modules()``, from the random
    numbers of the recipe's seed (without a seed from the global ones).

    Raises
    ------
    ValueError : an unknown word, a state dict that does not fit, or a layer with parameters but no
        ``reset_parameters``.
    """
    start = recipe.start
    if isinstance(start, Mapping):
        before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
        try:
            module.load_state_dict(dict(start))
        except (RuntimeError, KeyError) as error:
            module.load_state_dict(before)
            raise ValueError(f"start is a state dict that does not fit {type(module).__name__}: {error}") from None
    elif start == "zeros":
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.zero_()
    elif start == "torch":
        if recipe.seed is None:
            _reset(module)
        else:
            with torch.random.fork_rng():
                torch.manual_seed(recipe.seed)
                _reset(module)
    elif start != "as given":
        raise ValueError(f"start={start!r}; choose one of {', '.join(map(repr, STARTS))}, or a state dict.")


def _reset(module: nn.Module) -> None:
    for layer in module.modules():
        reset = getattr(layer, "reset_parameters", None)
        if callable(reset):
            reset()
        elif next(layer.parameters(recurse=False), None) is not None:
            raise ValueError(
                f"start='torch' needs a reset_parameters() of {type(layer).__name__}, which has parameters of its own;"
                " make the module afresh and use start='as given'."
            )
