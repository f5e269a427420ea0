"""Tensors of two dtypes meet in a call that does not mix them.

## What it finds

The failing call's tensors have different dtypes, mostly float64 of NumPy beside float32 of a layer, or class labels
that are not int64. The rule makes the call again with the odd one converted, and reports it only if that works.

## Why it matters

The script stops there. NumPy's and scikit-learn's arrays are float64; PyTorch's layers are float32.

## Example

```python
X = torch.from_numpy(table)           # float64
model = torch.nn.Linear(3, 1)         # float32
model(X)
```

## Instead

```python
X = torch.from_numpy(table).float()
model = torch.nn.Linear(3, 1)
model(X)
```

## How sure

Certain: the same call, with the converted tensor, was made and gave finite numbers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.rules import _failing as failing

SUFFIX = {
    torch.float32: ".float()", torch.float64: ".double()", torch.int64: ".long()", torch.float16: ".half()",
    torch.bfloat16: ".bfloat16()",
}  # fmt: skip


def find_in_script(evidence: Evidence) -> Finding | None:
    """The call that failed, made again with one of its tensors converted."""
    failure = evidence.failure
    if failure is None:
        return _array(evidence)
    if failure.name.endswith("_") or failure.name in ("backward", "grad"):
        return None
    named = list(failure.kwargs)
    values = [*failure.args, *failure.kwargs.values()]
    held = [(i, v) for i, v in enumerate(values) if isinstance(v, Tensor)]
    for odd, wanted in _conversions([t for _, t in held]):
        place = held[odd][0]
        changed = list(values)
        changed[place] = held[odd][1].to(wanted)
        split = len(failure.args)
        if _is_one_hot(held[odd][1], wanted, values):
            continue
        if failing.works(failure, tuple(changed[:split]), dict(zip(named, changed[split:]))):
            return _finding(evidence, [t for _, t in held], odd, wanted)
    return None


def _conversions(held: list[Tensor]) -> list[tuple[int, torch.dtype]]:
    """(which, dtype) worth trying: to the dtype of those that are trained, then of any other, then class indices."""
    trained = [t for t in held if t.requires_grad]
    wanted = [t.dtype for t in trained] + [t.dtype for t in held]
    found = []
    for i, tensor in enumerate(held):
        if tensor.requires_grad and len(trained) == 1 and len(held) > 1:
            continue
        for kind in dict.fromkeys(wanted):
            if kind != tensor.dtype:
                found.append((i, kind))
    for i, tensor in enumerate(held):
        whole = bool((tensor.detach() == tensor.detach().round()).all()) if tensor.is_floating_point() else True
        if tensor.dtype != torch.int64 and not tensor.requires_grad and whole:
            found.append((i, torch.int64))
    return found


def _is_one_hot(tensor: Tensor, wanted: torch.dtype, values: list[Any]) -> bool:
    """Integer columns, one for each class, are another rule's."""
    same = any(isinstance(v, Tensor) and v is not tensor and v.shape == tensor.shape for v in values)
    return same and tensor.ndim > 1 and tensor.dtype == torch.int64 and bool((tensor.sum(-1) == 1).all()) \
        and tensor.shape[-1] > 1 and bool(((tensor == 0) | (tensor == 1)).all())  # fmt: skip


def _finding(evidence: Evidence, held: list[Tensor], odd: int, wanted: torch.dtype) -> Finding:
    tensor = held[odd]
    other = next((t for i, t in enumerate(held) if i != odd and t.dtype == wanted), None)
    name = failing.name_of_value(tensor, failing.visible(evidence)) or ("target" if odd else "X")
    what = f"{failing.dtype(tensor)} {failing.shape(tensor)}"
    if other is not None:
        text = f"{what} meets {failing.dtype(other)} {failing.shape(other)} in a call that does not mix them"
    else:
        text = f"class labels {failing.shape(tensor)} are {failing.dtype(tensor)}; the loss takes {str(wanted)[6:]}"
    kinds = sorted({failing.dtype(t) for t in held})
    suffix = SUFFIX.get(wanted, f".to({wanted})")
    return Finding(
        rule="dtype-mismatch",
        severity=Severity.ERROR,
        what=text,
        where=evidence.where_it_failed,
        measured=Number(None, "dtypes in the call", ", ".join(kinds)),
        bound=Number(None, "needed", str(wanted)[6:]),
        why=f"The same call works once the {failing.dtype(tensor)} tensor is converted to {str(wanted)[6:]}."
        + (" NumPy's arrays are float64, PyTorch's layers float32." if tensor.dtype == torch.float64 else ""),
        fix=f"{name} = {name}{suffix}",
        weight=1.0,
    )


def _array(evidence: Evidence) -> Finding | None:
    """A NumPy array or a list given to a layer."""
    if not isinstance(evidence.error, TypeError) or "must be Tensor, not" not in evidence.message:
        return None
    kind = evidence.message.rsplit("not ", 1)[1].strip()
    for frame in list(failing.every_frame(evidence))[::-1]:
        given = frame.f_locals.get("input")
        if given is None or isinstance(given, Tensor):
            continue
        name = failing.name_of_value(given, failing.visible(evidence)) or "X"
        size = getattr(given, "shape", None)
        return Finding(
            rule="dtype-mismatch",
            severity=Severity.ERROR,
            what=f"a layer is given a {kind}{f' {tuple(size)}' if size is not None else ''}, it takes tensors",
            where=evidence.where_it_failed,
            measured=Number(None, "type", kind),
            bound=Number(None, "needed", "torch.Tensor of float32"),
            why="Layers compute with tensors of their own dtype, float32 unless said otherwise.",
            fix=f"{name} = torch.as_tensor({name}, dtype=torch.float32)",
            weight=1.0,
        )
    return None
