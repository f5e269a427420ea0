"""A class's constructor, or its call of the parent's, is misspelt or missing.

## What it finds

A method such as `__int__` or `_init_` in a class without an `__init__` of its own, `super().__int__()`, and an
`__init__` that assigns layers before nn.Module's own has run. The rule compares what the method would have assigned
with what the object has, or looks at the line that failed.

## Why it matters

Python calls `__init__` and nothing else. Under any other name the layers are never made: the model has no parameters,
or its making fails with a message about something else.

## Example

```python
class LinearRegression(nn.Module):
    def __int__(self):
        super().__init__()
        self.linear = nn.Linear(1, 1)
```

## Instead

```python
class LinearRegression(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, 1)
```

## How sure

Certain where the script failed in making the object, or where the object lacks everything that the misspelt method
assigns. A helper called `_init` beside a real `__init__` is not counted.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

from torch import nn

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Place, Severity
from sightline.check.rules import _failing as failing
from sightline.check.watching.places import is_own, place

RULE = "misspelt-constructor"
LETTERS = ("init", "int", "inti", "iint", "intit", "initi", "ini", "innit", "nit", "inits", "init_")


def find_in_script(evidence: Evidence) -> Finding | None:
    """Constructors that Python does not call."""
    return _misspelt(evidence) or _parent_misspelt(evidence) or _parent_not_called(evidence)


def alike(name: str) -> bool:
    """Whether a name looks as if ``__init__`` was meant."""
    return name != "__init__" and name.startswith("_") and name.strip("_").lower() in LETTERS


def _misspelt(evidence: Evidence) -> Finding | None:
    """A method whose name is nearly ``__init__`` in a class that has none."""
    names = failing.visible(evidence)
    for kind in _classes(names):
        own = vars(kind)
        method = next((n for n, f in own.items() if alike(_unmangled(n, kind)) and callable(f)), None)
        if method is None or "__init__" in own:
            continue
        assigned = _assigned(own[method])
        held = next((v for v in _held(names) if type(v) is kind), None)
        if held is not None:
            lacking = [a for a in assigned if not hasattr(held, a)]
            if assigned and not lacking and not _called(evidence, _unmangled(method, kind)):
                lacking = assigned  # they are there, made by the parent's constructor
            if not assigned or lacking != assigned:
                continue
            what = (
                f"{kind.__name__} has {_unmangled(method, kind)} and no __init__, so its {', '.join(lacking)} "
                f"{'was' if len(lacking) == 1 else 'were'} never made"
            )
        elif isinstance(evidence.error, TypeError | AttributeError) and _making(evidence, kind):
            what = f"{kind.__name__} has {method} and no __init__: its arguments reach a constructor that takes none"
        else:
            continue
        where = _place(own[method], method) or evidence.where_it_failed
        return _finding(what, where, method, "def __init__(self, ...):")
    return None


def _unmangled(name: str, kind: type) -> str:
    """A method's name as it was written: Python stores ``__init`` as ``_Class__init``."""
    return name.removeprefix(f"_{kind.__name__}") if name.startswith(f"_{kind.__name__}__") else name


def _called(evidence: Evidence, name: str) -> bool:
    """Whether the script calls a method of that name."""
    return any(True for _ in evidence.calls(name))


def _parent_misspelt(evidence: Evidence) -> Finding | None:
    """``super().__int__()``."""
    error = evidence.error
    if not isinstance(error, AttributeError) or not isinstance(getattr(error, "obj", None), super):
        return None
    if not alike(error.name or ""):
        return None
    what = f"the constructor calls {error.name} of its parent, which has only __init__"
    return _finding(what, evidence.where_it_failed, error.name or "", "super().__init__()")


def _parent_not_called(evidence: Evidence) -> Finding | None:
    """A module whose ``nn.Module.__init__`` has not run."""
    error = evidence.error
    if not isinstance(error, AttributeError | TypeError) or not evidence.frames:
        return None
    for frame in reversed(list(failing.every_frame(evidence))):
        held = frame.f_locals.get("self")
        if not isinstance(held, nn.Module) or "_parameters" in held.__dict__:
            continue
        kind = type(held)
        making = (p for p, n in reversed(evidence.frames) if p.function == "__init__" and n.get("self") is held)
        where = next(making, None) or _place(kind.__init__, "__init__") or evidence.where_it_failed
        what = f"__init__ of {kind.__name__} goes on before nn.Module's own has run: super().__init__() is missing"
        return _finding(what, where, "nothing", "def __init__(self, ...):\n    super().__init__()")
    return None


def _finding(what: str, where: Place | None, spelt: str, fix: str) -> Finding:
    return Finding(
        rule=RULE,
        severity=Severity.ERROR,
        what=what,
        where=where,
        measured=Number(None, "called is", spelt),
        bound=Number(None, "Python calls", "__init__"),
        why="Python calls a method of exactly this name, with two underscores on each side, when an object is made."
        " nn.Module's own keeps the lists in which layers are registered.",
        fix=fix,
        weight=1.0,
    )


def _classes(names: dict[str, Any]) -> Iterator[type]:
    for value in names.values():
        if isinstance(value, type):
            source = getattr(sys.modules.get(value.__module__), "__file__", None)
            if value.__module__ == "__main__" or (source is not None and is_own(source)):
                yield value


def _held(names: dict[str, Any]) -> Iterator[Any]:
    for value in names.values():
        yield value
        if isinstance(value, nn.Module) and "_modules" in value.__dict__:
            yield from value.modules()


def _assigned(method: Any) -> list[str]:
    """Attributes of self that a method assigns."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(method)))
    except (OSError, TypeError, SyntaxError):
        return []
    found = []
    for node in ast.walk(tree):
        stored = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        if not isinstance(node, ast.Attribute) or not stored or not isinstance(node.value, ast.Name):
            continue
        if node.value.id == "self" and node.attr not in found:
            found.append(node.attr)
    return found


def _making(evidence: Evidence, kind: type) -> bool:
    """Whether the failing line makes an object of this class."""
    if not evidence.frames:
        return False
    where, names = evidence.frames[-1]
    line = failing.statement(evidence, where)
    calls = [n for n in ast.walk(line) if isinstance(n, ast.Call)] if line is not None else []
    return any(failing.value(c.func, names) is kind for c in calls)


def _place(method: Any, name: str) -> Place | None:
    code = getattr(method, "__code__", None)
    if code is None or not is_own(code.co_filename):
        return None
    return place((code.co_filename, code.co_firstlineno, name))
