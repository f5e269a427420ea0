"""Threads that each own a range of rows, with a BLAS of one thread each.

A BLAS with several threads waits for all of them after every block of rows: on a busy machine that costs many times
what it saves.  Here the threads meet once a pass.  There are as many as ``torch.get_num_threads()`` says, and what they
give is joined in the order of the rows, so that the same number of threads gives the same bits.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

import torch

T = TypeVar("T")

LARGE = 1_000_000  # rows · columns from which a second thread pays


class _State:
    """What the fits in progress share."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """As at the start: no fit in progress, no thread."""
        self.lock = threading.Lock()
        self.inside = 0  # how many fits are in progress that want a BLAS of one thread
        self.before: list[tuple[Any, int]] = []  # the BLAS libraries and the threads they had
        self.pool: ThreadPoolExecutor | None = None
        self.workers = 0


_state = _State()
_own = threading.local()  # .busy : this thread is at work on a range, whose parts it does itself


@contextmanager
def over_rows(elements: int) -> Iterator[None]:
    """Within it BLAS has one thread and ``each`` has several, if a problem has that many ``elements``."""
    if elements < LARGE:
        yield
        return
    state = _state
    with state.lock:
        if state.inside == 0:
            state.before = [(library, library.get_num_threads()) for library in _libraries()]
            for library, _ in state.before:
                library.set_num_threads(1)
        state.inside += 1
    try:
        yield
    finally:
        with state.lock:
            state.inside -= 1
            if state.inside == 0:
                for library, threads in state.before:
                    library.set_num_threads(threads)


def ranges(n: int, elements: int, multiple: int = 1) -> list[slice]:
    """The rows 0..n in consecutive ranges, one a thread, their ends multiples of ``multiple``."""
    alone = not _state.inside or elements < LARGE or getattr(_own, "busy", False)
    count = 1 if alone else torch.get_num_threads()
    if count == 1:
        return [slice(0, n)]
    blocks = -(-n // multiple)
    ends = [min(n, multiple * (blocks * i // count)) for i in range(count + 1)]
    return [slice(a, b) for a, b in zip(ends, ends[1:]) if b > a]


def each(work: Callable[[slice], T], rows: list[slice]) -> list[T]:
    """``work`` of every range, in their order; the calling thread does the first."""
    if len(rows) <= 1:
        return [work(part) for part in rows]

    def busy(part: slice) -> T:
        _own.busy = True
        try:
            return work(part)
        finally:
            _own.busy = False

    others = [_executor(len(rows) - 1).submit(busy, part) for part in rows[1:]]
    first = busy(rows[0])
    return [first, *(other.result() for other in others)]


@cache
def _libraries() -> list[Any]:
    """The OpenBLAS libraries of this process (NumPy's and SciPy's)."""
    from threadpoolctl import ThreadpoolController

    return list(ThreadpoolController().select(internal_api="openblas").lib_controllers)


def _executor(workers: int) -> ThreadPoolExecutor:
    with _state.lock:
        if _state.pool is None or _state.workers < workers:
            _state.pool, _state.workers = ThreadPoolExecutor(workers, thread_name_prefix="sightline"), workers
        return _state.pool


if hasattr(os, "register_at_fork"):
    # A forked child has none of its parent's threads.
    os.register_at_fork(after_in_child=_state.clear)
