"""Checkpoints: a training in a file, from which it goes on bit for bit as if it had never stopped.

A safetensors file: the tensors of module, optimizer, scheduler, random numbers and trace, and as metadata a JSON record
of everything else with a checksum of the whole.  It is written beside the old one and takes its place when it is safely
on the disk, so that a kill at any moment leaves one of the two.  Reading it runs no code.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sightline.model_file import ModelFileError, write_whole
from sightline.recipes.batches import TensorBatches
from sightline.recipes.loop import Job
from sightline.recipes.packing import CannotPack, pack, unpack
from sightline.recipes.randomness import random_state, set_random_state

FORMAT = "sightline-checkpoint"
VERSION = 1
SECONDS = 10.0  # between two checkpoints
HASHED = 1 << 28  # bytes of data up to which a checkpoint knows its data by their content
LISTS = ("step", "epoch", "batch_loss", "learning_rate", "seconds")


class Checkpoints:
    """The checkpoints of a training in one file.

    every : steps between two of them; None for ten seconds.
    more, restore : what a training keeps besides, and what puts it back.
    """

    def __init__(self, path: str | os.PathLike[str], every: int | None = None) -> None:
        if every is not None and (isinstance(every, bool) or not isinstance(every, int) or every < 1):
            raise ValueError(f"checkpoint_every={every!r}; it is a number of steps, at least 1; None for 10 seconds.")
        self.path, self.every = Path(path), every
        self.next = time.perf_counter() + SECONDS
        self.at_epoch: dict[str, Any] = {}
        self.more: Callable[[], dict[str, Any]] | None = None
        self.restore: Callable[[dict[str, Any] | None], None] | None = None

    def due(self, step: int, now: float) -> bool:
        """Whether it is time for the next."""
        return step % self.every == 0 if self.every is not None else now > self.next

    def begin_epoch(self, job: Job) -> None:
        """Remember the random numbers from which the epoch's order is drawn."""
        self.at_epoch = random_state(job.batches)

    def keep(self, job: Job, epoch: int, number: int) -> None:
        """Write the job as it is after this batch of this epoch.

        Raises
        ------
        ModelFileError : the file cannot be written, or the optimizer or scheduler holds what no file without code can.
        """
        tensors: dict[str, Tensor] = {}
        values = {
            "epoch": epoch, "number": number, "steps": job.steps, "seconds": time.perf_counter() - job.begun,
            "epoch_sum": job.epoch_sum, "value": job.value, "state": list(job.state),
            "optimizer": job.optimizer.state_dict(),
            "scheduler": None if job.scheduler is None else job.scheduler.state_dict(),
            "at_epoch": self.at_epoch, "now": random_state(job.batches), "rule": job.trace.rule,
            "trace": {name: torch.tensor(getattr(job.trace, name), dtype=torch.float64) for name in LISTS},
            "states": [torch.stack(column) for column in zip(*job.trace.states)],
            "more": None if self.more is None else self.more(),
        }  # fmt: skip
        try:
            record = {"training": identity(job), "values": pack(values, tensors, "checkpoint")}
        except CannotPack as error:
            raise ModelFileError(f"{self.path}: no checkpoint can be written: {error}.") from None
        write_whole(self.path, _to_bytes(record, tensors))
        self.next = time.perf_counter() + SECONDS

    def resume(self, job: Job) -> None:
        """Put the job where the file's training stood; nothing where there is no file.

        Raises
        ------
        ModelFileError : the file is damaged, or no checkpoint.  ValueError : it is one of another training.
        """
        for left in self.path.parent.glob(f".{glob.escape(self.path.name)}.*.part"):
            left.unlink(missing_ok=True)  # of a training that was killed while it wrote
        if not self.path.exists():
            return
        record, tensors = _from_bytes(self.path)
        _check_identity(record["training"], identity(job), self.path)
        values = unpack(record["values"], tensors)
        if self.restore is not None:
            self.restore(values.get("more"))
        with torch.no_grad():
            for tensor, value in zip(job.state, values["state"]):
                tensor.copy_(value)
        _load_optimizer(job.optimizer, values["optimizer"])
        if job.scheduler is not None:
            job.scheduler.load_state_dict(values["scheduler"])
        job.steps, job.done, job.epoch_sum = values["steps"], (values["epoch"], values["number"]), values["epoch_sum"]
        job.value = values["value"]
        job.begun = time.perf_counter() - values["seconds"]
        trace = job.trace
        for name in LISTS:
            numbers = values["trace"][name].tolist()
            setattr(trace, name, [int(v) for v in numbers] if name == "step" else numbers)
        trace.states = list(zip(*(stacked.unbind(0) for stacked in values["states"])))
        set_random_state(job.batches, values["at_epoch"])
        job.resumed = lambda: set_random_state(job.batches, values["now"])


def identity(job: Job) -> dict[str, Any]:
    """What a checkpoint and the training that it is read for must have in common."""
    batches = job.batches
    out: dict[str, Any] = {
        "recipe": repr(job.recipe.but(epochs=1)),
        "module": [[name, list(t.shape), str(t.dtype)] for name, t in job.module.state_dict().items()],
        "loss": getattr(job.loss, "__name__", type(job.loss).__name__),
        "rows": batches.rows,
        "data": None,
    }
    if isinstance(batches, TensorBatches):
        X, y = batches.X, batches.y
        out["data"] = [list(X.shape), list(y.shape)]
        if X.nbytes + y.nbytes <= HASHED:
            digest = hashlib.sha256()
            for tensor in (X, y):
                digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
            out["data"].append(digest.hexdigest())
    return out


def _check_identity(kept: dict[str, Any], now: dict[str, Any], path: Path) -> None:
    for what, value in now.items():
        if kept.get(what) != value:
            says = "" if what in ("module", "data") else f": {kept[what]} there, {value} here"
            raise ValueError(
                f"{path} is the checkpoint of another training: its {what} differs{says}. Delete the file to begin"
                " anew, or give another path."
            )


def _load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    optimizer.load_state_dict(state)
    # Schedulers warn of a step of theirs before the optimizer's first; it was done before the training was resumed.
    optimizer._opt_called = True  # type: ignore[attr-defined]
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    if all(p.device.type == "cpu" for p in parameters):
        # load_state_dict casts to the parameters' dtype; the state goes on as it was, to the bit.
        for place, own in state["state"].items():
            optimizer.state[parameters[place]] = own


# ------------------------------------------------------------------------------------------------------------- file


def _to_bytes(record: dict[str, Any], tensors: dict[str, Tensor]) -> bytes:
    from safetensors.torch import save

    text = json.dumps(record)
    metadata = {"format": FORMAT, "version": str(VERSION), "record": text, "sha256": _digest(text, tensors)}
    return save(tensors, metadata)


def _digest(text: str, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        if tensor.numel():
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _from_bytes(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    from safetensors.torch import load

    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror or error}.") from None
    try:
        metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
        known = metadata["format"] == FORMAT and metadata["version"] == str(VERSION)
        tensors = load(content) if known else {}
        if known and _digest(metadata["record"], tensors) == metadata["sha256"]:
            return json.loads(metadata["record"]), tensors
    except Exception as error:  # whatever a damaged file makes a parser raise
        raise ModelFileError(f"{path}: not a checkpoint, or a damaged one ({type(error).__name__}).") from None
    raise ModelFileError(f"{path}: not a checkpoint of this version of Sightline, or a damaged one.")


