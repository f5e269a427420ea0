"""What ``sl.separation`` is asked: rows, classes and columns, without those that are combinations of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.cone import Cone, Mask
from sightline.data import Data, DataError, make_data
from sightline.exact import Floats
from sightline.losses import Logistic, Softmax
from sightline.objective import Objective
from sightline.separating.independent import independent_columns


@dataclass(frozen=True)
class Question:
    """The rows that count, as a problem without a penalty.

    objective : all columns.  reduced : those of ``kept`` (p',), on which the answer is worked out.
    rows : (n,) indices of the rows in what the user gave: rows of weight zero are no part of it.
    reference : number of the class against which coefficients are told.
    """

    objective: Objective
    reduced: Objective
    kept: NDArray[np.int64]
    rows: NDArray[np.int64]
    reference: int

    @property
    def whole(self) -> bool:
        """No column was left out."""
        return len(self.kept) == self.objective.p

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns."""
        known = self.objective.data.columns
        return known if known is not None else tuple(f"x{j + 1}" for j in range(self.objective.p))

    def with_all_columns(self) -> Question:
        """The same with nothing left out."""
        return replace(self, reduced=self.objective, kept=np.arange(self.objective.p))


def ask(
    X: Any, y: Any, *, sample_weight: Any = None, offset: Any = None, fit_intercept: bool = True,
    classes: Sequence[Any] | None = None, columns: Sequence[str] | None = None, reference: Any = None,
) -> Question:
    """The question about some data; see ``sl.separation``."""
    data = _two(
        make_data(
            X, y, Softmax(), sample_weight=sample_weight, offset=offset, classes=classes, columns=columns,
        )
    )  # fmt: skip
    known = data.classes
    assert known is not None
    if data.columns is not None and len(data.columns) != data.design.p:
        raise DataError(f"columns= has {len(data.columns)} names for {data.design.p} columns of X.")
    if len(known) > 20 and all(isinstance(c, float) for c in known) and not all(c.is_integer() for c in known):
        raise DataError(f"y holds {len(known)} different numbers, such as {known[0]:g}: separation is about classes.")
    place = 0
    if reference is not None:
        if reference not in known:
            raise DataError(f"reference={reference!r} is not among the classes {list(known)}.")
        place = known.index(reference)
    rows = np.arange(data.n)
    if sample_weight is not None:
        tensor = isinstance(sample_weight, torch.Tensor)
        given = np.asarray(sample_weight.detach().cpu() if tensor else sample_weight)
        rows = np.flatnonzero(given > 0) if given.ndim else rows
    loss = Logistic() if len(known) == 2 else Softmax()
    return question(Objective(data, loss, intercept=bool(fit_intercept)), rows, place)


def question(objective: Objective, rows: NDArray[np.int64] | None = None, reference: int = 0) -> Question:
    """The question about a logistic or softmax problem; its penalty is left out."""
    from sightline.penalties import NONE

    objective = replace(objective, penalty=NONE)
    cone = Cone(objective)
    kept = independent_columns(cone)
    if kept is None or len(kept) == objective.p:
        reduced, kept = objective, np.arange(objective.p)
    else:
        kept = kept if len(kept) else np.zeros(1, dtype=np.int64)
        data = objective.data
        design = data.design.columns(torch.from_numpy(kept).to(data.design.device))
        names = data.columns if data.columns is None else tuple(data.columns[j] for j in kept)
        reduced = replace(objective, data=replace(data, design=design, columns=names))
    return Question(objective, reduced, kept, np.arange(objective.n) if rows is None else rows, reference)


def _two(data: Data) -> Data:
    """Two classes coded as -1 and +1."""
    if data.outputs != 2:
        return data
    return replace(data, y=data.y.double().mul(2).sub(1))


def row_weight(objective: Objective) -> Floats | None:
    """Weights of the rows, or None."""
    weight = objective.data.weight
    return None if weight is None else weight.cpu().numpy()


def fallen(falling: Mask) -> Mask:
    """(n,) rows of which any margin falls."""
    return np.asarray(falling.any(1))
