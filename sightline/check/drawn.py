"""The plain numbers of a training that its pictures are drawn of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sightline.certificate import Certificate


@dataclass(frozen=True, eq=False, kw_only=True)
class Drawn:
    """A training as numbers.  What is not known stays None or empty, and the pictures that need it are left out.

    What the script saw
    -------------------
    label : the recipe in a few words: 'SGD, learning rate 0.1'.
    losses : (T,) the loss as the script counted it, at ``steps`` (T,), rising.  batches : each is that of a batch, so
        that single ones may lie below the optimum.

    The problem that was recovered
    ------------------------------
    loss : its name in ``sightline.losses`` ('squared', 'logistic', 'softmax', 'hinge', ...), or such a ``Loss``; ''
        where none was recovered.  X : (n, p) inputs as the linear layer saw them.  y : (n,) targets, or (n, K) of K.
    l2, l1 : strengths of the penalty beside the mean loss, as ½ l2 · |w|² + l1 · |w|₁.  bias_l2 : that on the bias.
    intercept : whether there is a bias.  factor : the script's loss is so many times the mean loss of
        ``sightline.losses`` (2 for ``nn.MSELoss``, which is not halved).  columns : names of the columns.

    Where it went
    -------------
    path : (S, P) weights: for each output its coefficients and then its bias (0 without one), outputs one after
        another (P = K (p + 1)); at ``path_steps`` (S,), rising.
    epochs : (S,) passes over the rows by then.  rate : learning rate.  batch : rows of a step, None for all of them.
    optimizer : its name in lower case, 'vanilla' for updates by hand.

    The optimum
    -----------
    optimum : the lowest value there is, in the script's units; the infimum where there is ``no_minimum``.
    best : (P,) weights of the optimum, as in ``path``, and ``certificate``, which proves them.  Without these the
        pictures of a small problem find the optimum again, and those of a large one are left out.
    """

    label: str = ""
    losses: Sequence[float] = ()
    steps: Sequence[int] = ()
    batches: bool = False
    loss: Any = ""
    X: np.ndarray | None = None
    y: np.ndarray | None = None
    l2: float = 0.0
    l1: float = 0.0
    bias_l2: float = 0.0
    intercept: bool = True
    factor: float = 1.0
    columns: tuple[str, ...] | None = None
    path: np.ndarray | None = None
    path_steps: Sequence[int] = ()
    epochs: Sequence[float] | None = None
    rate: float | None = None
    batch: int | None = None
    optimizer: str = ""
    optimum: float | None = None
    best: np.ndarray | None = None
    certificate: Certificate | None = None
    no_minimum: bool = False
