"""Faults injected into healthy trainings: `make scorecard` runs all, tests/test_check_mutations.py a few.

    python tests/check_mutations.py [--healthy 200] [--each 6] [FAULT ...]

Each fault changes a piece of a healthy training's text in the way in which people get it wrong. Counted is how often
check names it first, or among the first three, and how many of the healthy trainings get a verdict of error or warning.
The exit code is 1 below 90 % first, below 96 % among three, or with any false verdict.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from check_running import checked_text
from check_trainings import Training, trainings

FIRST, AMONG_THREE = 0.90, 0.96


@dataclass(frozen=True)
class Fault:
    """A fault: ``applies`` to a training or not, and ``inject`` puts it there; ``rule`` should be named."""

    name: str
    rule: str
    applies: Callable[[Training], bool]
    inject: Callable[[Training], Training]


def _swap(piece: str, old: str, new: str) -> Callable[[Training], Training]:
    return lambda t: t.with_pieces(**{piece: t.pieces[piece].replace(old, new)})


def _put(**pieces: str) -> Callable[[Training], Training]:
    return lambda t: t.with_pieces(**pieces)


def _has(text: str, *tasks: str) -> Callable[[Training], bool]:
    return lambda t: text in t.pieces["loss"] and (not tasks or t.task in tasks)


def _rate(factor: float) -> Callable[[Training], Training]:
    def inject(t: Training) -> Training:
        rate = t.rate * factor
        text = {
            name: t.pieces[name].replace(f"lr={t.rate}", f"lr={rate}").replace(f"lr = {t.rate}", f"lr = {rate}")
            for name in ("optimizer", "epochs")
        }
        return replace(t.with_pieces(**text), rate=rate)

    return inject


def _zero_before_step(t: Training) -> Training:
    # By hand a gradient that is None cannot be taken a step along: there it is set to zero.
    zero = t.pieces["zero"] if not t.by_hand else "for q in params:\n    q.grad.zero_()"
    return t.with_pieces(between=zero, zero="")


def _columns_unlike(t: Training) -> Training:
    text = {"after data": "X[:, 0] = 1000 * X[:, 0]"}
    return _rate(1e-6)(t.with_pieces(**text))




def _other_parameters(t: Training) -> Training:
    outputs = 3 if t.task == "softmax" else 1
    return t.with_pieces(
        optimizer=f"other = nn.Linear(p, {outputs})\n" + t.pieces["optimizer"].replace("params", "other.parameters()")
    )


def _penalty(t: Training, strength: str, taken: str) -> Training:
    return t.with_pieces(penalty=t.pieces["penalty"].replace("0.01", strength).replace(" ** 2).sum()", taken))


def _misspelt(t: Training) -> Training:
    return t.with_pieces(model=t.pieces["model"].replace("def __init__", "def __int__"))


def _smooth(t: Training) -> bool:
    return t.task not in ("hinge",) and t.update != "adam"


def _full(t: Training) -> bool:
    return t.batches == "full"


FAULTS = (
    Fault("gradients never zeroed", "missing-zero-grad", lambda t: True, _put(zero="")),
    Fault("no step", "missing-step", lambda t: True, _put(step="")),
    Fault("zeroed before the step", "zero-grad-before-step", lambda t: True, _zero_before_step),
    Fault(
        "targets (N,) beside outputs (N, 1)", "target-shape-broadcast",
        lambda t: t.task == "regression" and t.batches != "single rows",
        lambda t: t.with_pieces(target=t.pieces["target"] + "\ny = y.squeeze(1)"),
    ),
    Fault("sigmoid before BCEWithLogits", "sigmoid-before-bce-with-logits", _has("logits(out", "logistic"),
          _swap("loss", "(out", "(torch.sigmoid(out)")),
    Fault("sigmoid before nn.BCEWithLogitsLoss", "sigmoid-before-bce-with-logits", _has("WithLogitsLoss"),
          _swap("loss", "(out", "(torch.sigmoid(out)")),
    Fault("softmax before cross-entropy", "softmax-before-cross-entropy",
          lambda t: "oss()(out" in t.pieces["loss"] or "F.cross" in t.pieces["loss"] if t.task == "softmax" else False,
          _swap("loss", "(out", "(torch.softmax(out, dim=1)")),
    Fault("raw scores in nll_loss", "nll-without-log-softmax", _has("nll_loss(F.log", "softmax"),
          _swap("loss", "F.log_softmax(out, dim=1)", "out")),
    Fault("raw scores in BCELoss", "bce-on-raw-logits", _has("nn.BCELoss"), _swap("loss", "torch.sigmoid(out)", "out")),
    Fault("loss with the wrong sign", "loss-sign-flipped", lambda t: True,
          lambda t: t.with_pieces(loss=t.pieces["loss"].replace("loss = ", "loss = -"))),
    Fault("labels 0 and 1 in the hinge", "hinge-labels-not-pm1", lambda t: "hinge" in t.task,
          lambda t: t.with_pieces(target=t.pieces["target"] + "\ny = (y + 1) / 2")),
    Fault("HingeEmbeddingLoss", "hinge-embedding-as-hinge", lambda t: t.task == "hinge",
          _put(loss="loss = nn.HingeEmbeddingLoss()(out, t)")),
    Fault("learning rate x 100", "lr-too-high", lambda t: _smooth(t) and t.task != "logistic",
          lambda t: _rate(100)(t.with_pieces(**{"decay of the rate": ""}))),  # which would mend it in time
    Fault("learning rate / 10,000", "lr-too-low", lambda t: t.update != "adam", _rate(1e-4)),
    Fault("a row of NaN", "nan-in-data", lambda t: True, _put(**{"after data": "X[7] = float('nan')"})),
    Fault("optimizer of another module", "optimizer-on-other-parameters", lambda t: t.is_module and not t.by_hand,
          _other_parameters),
    Fault("columns of unlike size", "ill-conditioned-features",
          lambda t: _full(t) and t.task in ("regression", "logistic") and t.update in ("sgd", "no_grad", "data"),
          _columns_unlike),
    Fault("penalty of detached weights", "penalty-detached", lambda t: t.penalty == "by hand" and t.task != "softmax",
          lambda t: _penalty(t, "0.2", ".detach() ** 2).sum()")),
    Fault("norm in place of its square", "unsquared-norm-penalty", lambda t: t.penalty == "by hand" and _full(t),
          lambda t: _penalty(t, "0.2", ").norm()")),
    Fault("loss not reduced", "loss-not-scalar", _has(".mean()"), _swap("loss", ".mean()", "")),
    Fault("update without no_grad", "inplace-leaf-update", lambda t: t.update == "no_grad",
          _put(step="for q in params:\n    q -= lr * q.grad")),
    Fault("doubles in a float32 model", "dtype-mismatch", lambda t: t.dtype == "float32" and t.is_module,
          _put(**{"after data": "X = X.double()"})),
    Fault("argmax of one output", "argmax-on-single-output", lambda t: t.task == "logistic" and t.is_module,
          lambda t: t.with_pieces(end="print((model(X).argmax(1) == y.squeeze(1)).float().mean())")),
    Fault("argmin of the scores", "argmin-for-prediction", lambda t: t.task == "softmax" and t.is_module,
          lambda t: t.with_pieces(end="print((model(X).argmin(1) == y).float().mean())")),
    Fault("exp before a loss that takes it", "wrong-link", _has("oisson", "poisson"),
          _swap("loss", "(out", "(out.exp()")),
    Fault("constructor misspelt", "misspelt-constructor", lambda t: t.holder == "own module", _misspelt),
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What check said of one training; ``fault`` is '' for a healthy one."""

    fault: str
    rule: str
    training: Training
    found: tuple[str, ...]
    serious: tuple[str, ...]
    verdict: str

    @property
    def right(self) -> bool:
        return self.found[:1] == (self.rule,) if self.fault else not self.serious

    def line(self) -> str:
        t = self.training
        form = f"{t.number} {t.task}, {t.holder}, {t.update}, {t.batches}, {t.dtype}, {t.pieces['loss']}"
        got = ", ".join(r if r in self.serious else f"({r})" for r in self.found[:4]) or self.verdict
        if not self.fault:
            return f"FALSE       {form}: {got}"
        mark = "NOT FIRST " if self.rule in self.found[:3] else "MISSED    "
        return f"{mark}  {self.fault} [{form}]: {got}"


def jobs(healthy: int, each: int, names: Sequence[str] = ()) -> list[tuple[str, Training]]:
    """(name of the fault, training with it); the healthy ones come first, with the name ''."""
    whole = [("", t) for t in trainings(healthy)]
    pool = trainings(60 * max(each, 1), seed=1)
    broken = []
    for fault in FAULTS:
        if not names or fault.name in names or fault.rule in names:
            broken += [(fault.name, fault.inject(t)) for t in list(filter(fault.applies, pool))[:each]]
    return whole + broken


def judge(job: tuple[str, Training]) -> Found:
    """Run one training here and ask the rules."""
    name, training = job
    rule = next((f.rule for f in FAULTS if f.name == name), "")
    with tempfile.TemporaryDirectory() as folder:
        try:
            report = checked_text(Path(folder), training.text, attempt=False)
        except Exception as error:  # check itself broke: counted as a false verdict and as a miss
            return Found(name, rule, training, (), ("check broke",), f"{type(error).__name__}: {error}")
    rules = tuple(f.rule for f in report.findings)
    serious = tuple(f.rule for f in report.findings if f.severity.value != "advice")
    return Found(name, rule, replace(training, pieces=dict(training.pieces)), rules, serious, report.verdict)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faults", nargs="*", help="only these, by name or by rule")
    parser.add_argument("--healthy", type=int, default=200, help="healthy trainings (default 200)")
    parser.add_argument("--each", type=int, default=6, help="trainings that each fault is put into (default 6)")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (default 2)")
    chosen = parser.parse_args(arguments)
    false = first = three = broken = healthy = 0
    # FAULTS holds functions without names, which only the children's own copy of this module can give.
    with ProcessPoolExecutor(chosen.jobs, mp_context=get_context("spawn")) as pool:
        for found in pool.map(judge, jobs(chosen.healthy, chosen.each, chosen.faults), chunksize=4):
            if not found.right:
                print(found.line(), flush=True)
            broken += bool(found.fault)
            healthy += not found.fault
            first += bool(found.fault) and found.right
            three += bool(found.fault) and found.rule in found.found[:3]
            false += not found.fault and not found.right
    print(f"\ninjected faults: first {first} of {broken}, among three {three} of {broken}")
    print(f"healthy trainings: {false} of {healthy} with a false verdict")
    return 0 if first >= FIRST * broken and three >= AMONG_THREE * broken and not false else 1


if __name__ == "__main__":
    sys.exit(main())
