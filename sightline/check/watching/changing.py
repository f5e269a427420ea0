"""Reads and changes of gradients and weights, in all the ways that people write them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from sightline.check.watching.keeping import Keeping
from sightline.check.watching.operations import Operation, assigned
from sightline.check.watching.places import spot
from sightline.check.watching.stretch import SeenOptimizer

_NOT_CHANGES = ("requires_grad_", "retain_grad")
_AUGMENTED = ("__iadd__", "__isub__", "__imul__", "__itruediv__", "__ifloordiv__", "__imod__", "__ipow__")


class Changing(Keeping):
    """Answers the calls that read or change gradients and weights; ``special`` says which these are."""

    def __init__(self) -> None:
        super().__init__()
        self._line = 0  # of the last gradient that was set to None
        grad: Any = Tensor.grad
        data: Any = Tensor.data
        leaf: Any = Tensor.is_leaf
        self._special: dict[Any, Callable[..., Any]] = {
            grad.__get__: self._get_grad,
            grad.__set__: self._set_grad,
            data.__get__: self._get_data,
            data.__set__: self._set_data,
            leaf.__get__: self._is_leaf,
            Tensor.__setitem__: self._set_item,
            nn.init.kaiming_uniform_: self._initialise,
        }
        for name in dir(Tensor):
            if name in _NOT_CHANGES or (name.startswith("_") and name not in _AUGMENTED):
                continue
            function = getattr(Tensor, name, None)
            if (name.endswith("_") or name in _AUGMENTED) and callable(function) and function not in self._special:
                self._special[function] = self._in_place

    def _called(self, function: Any, args: Any, kwargs: Any) -> Any:
        """The answer of a call; an error is noted. Written by the watcher."""
        raise NotImplementedError

    # -------------------------------------------------------------------------------------------- changes in place

    def _in_place(self, function: Any, args: Any, kwargs: Any) -> Any:
        """``x.add_(y)``, ``x += y``: where x had been no part of the computation, what it was is kept."""
        target: Any = args[0] if args else None
        key = id(target)
        if not self._close and (
            key in self._gradients or key in self._aliases or (target.requires_grad and target.is_leaf)
        ):
            answer = self._called(function, args, kwargs)
            self._changed(function, target)
            return answer
        part = self._takes_part(args) or (bool(kwargs) and self._takes_part(kwargs.values()))
        if not part:
            return self._called(function, args, kwargs)
        before = args
        if isinstance(target, Tensor) and not target.requires_grad and id(target) not in self._tainted:
            before = (target.detach().clone(), *args[1:])
        answer = self._called(function, args, kwargs)
        if before is args:
            self._keep(function, args, kwargs, answer)
        else:
            self._keep(function, before, kwargs, answer, True)
        return answer

    def _set_item(self, function: Any, args: Any, kwargs: Any) -> Any:
        """``x[i] = y``."""
        if len(args) != 3 or not self._takes_part(args):
            return self._called(function, args, kwargs)
        target, index, value = args
        before = target
        if not target.requires_grad and id(target) not in self._tainted:
            before = target.detach().clone()
        self._called(function, args, kwargs)
        if self._changed(function, target):
            return None
        if not target.requires_grad:
            self._tainted[id(target)] = target
        at = spot(3) if self._close else None
        self._operations.append(
            Operation(assigned, (before, index, value), {}, target, torch.is_grad_enabled(), at)
        )
        return None

    # --------------------------------------------------------------------------------------- gradients and weights

    def _get_grad(self, function: Any, args: Any, kwargs: Any) -> Any:
        gradient = function(*args, **kwargs)
        if gradient is not None:
            self._gradients[id(gradient)] = gradient
            stretch = self._current
            if self._close or stretch is None or stretch.recreated:
                # Whether weights are made anew of it is known of a training after its first passes.
                self._tainted[id(gradient)] = gradient
        return gradient

    def _set_grad(self, function: Any, args: Any, kwargs: Any) -> Any:
        answer = self._called(function, args, kwargs)
        value = args[1] if len(args) > 1 else None
        if value is not None and bool(value.detach().any()):
            self._event("grad set", args[0])
        elif not self._zeroing:
            # A module's zero_grad comes here for each parameter, and so does a loop over them: one event.
            by_module = sys._getframe(2).f_code is nn.Module.zero_grad.__code__
            if by_module:
                self._event("zero_grad", merged=True)
            else:
                line = sys._getframe(2).f_lineno
                last = self._events[-1] if self._events else None
                if last is None or last.kind != "grad none" or line != self._line:
                    self._event("grad none", args[0])
                self._line = line
        return answer

    def _get_data(self, function: Any, args: Any, kwargs: Any) -> Any:
        answer = function(*args, **kwargs)
        owner = args[0]
        if id(owner) in self._gradients:
            self._gradients[id(answer)] = answer
        elif owner.is_leaf and owner.requires_grad:
            self._aliases[id(answer)] = owner
        if owner.requires_grad or id(owner) in self._tainted:
            self._tainted[id(answer)] = answer
            at = spot(3) if self._close else None
            self._operations.append(Operation(function, args, kwargs, answer, torch.is_grad_enabled(), at))
        return answer

    def _set_data(self, function: Any, args: Any, kwargs: Any) -> Any:
        answer = self._called(function, args, kwargs)
        owner = args[0]
        if owner.is_leaf and owner.requires_grad:
            last = self._events[-1] if self._events else None
            if last is None or last.kind != "update" or last.what is not owner:  # p.data -= ... is both
                self._event("update", owner)
        elif id(owner) in self._gradients:
            self._event("grad set")
        return answer

    # ------------------------------------------------------------------------------------------ things being made

    def _is_leaf(self, function: Any, args: Any, kwargs: Any) -> Any:
        answer = function(*args, **kwargs)
        frame = sys._getframe(2)
        if frame.f_code.co_name == "add_param_group":  # an optimizer is being made
            optimizer = frame.f_locals.get("self")
            if optimizer is not None and all(o.optimizer is not optimizer for o in self.recording.optimizers):
                self.recording.optimizers.append(SeenOptimizer(optimizer, spot(3)))
        return answer

    def _initialise(self, function: Any, args: Any, kwargs: Any) -> Any:
        answer = self._called(function, args, kwargs)
        frame = sys._getframe(2)
        while frame is not None:
            if frame.f_code.co_name == "_call_impl":  # a module is running
                if len(self.recording.made_in_forward) < 1000:
                    self.recording.made_in_forward.append((spot(3), "", self.recording.backwards))
                break
            frame = frame.f_back  # type: ignore[assignment]
        return answer
