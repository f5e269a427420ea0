"""Which finding comes first: causes before consequences, then what explains most of the distance to the right"
" answer."""

from __future__ import annotations

from collections.abc import Sequence

from sightline.check.finding import Finding, Severity

# Tiers, the first first.  A fault of an earlier tier would by itself produce what those of later tiers measure.
TIERS: tuple[tuple[str, ...], ...] = (
    # The script ends in an error, or nothing is trained at all.
    ("misspelt-constructor", "empty-parameter-list", "dtype-mismatch", "loss-not-scalar", "one-hot-integer-target",
     "inplace-leaf-update", "grad-none-before-backward", "labels-carry-graph"),
    ("nan-in-data",),
    ("layer-created-in-forward", "unregistered-parameters", "optimizer-on-other-parameters", "zero-grad-before-step",
     "missing-step"),
    # What is computed is not what is meant.
    ("target-shape-broadcast", "output-width-mismatch", "hinge-embedding-as-hinge", "hinge-labels-not-pm1",
     "loss-sign-flipped", "loss-targets-flipped", "sigmoid-before-bce-with-logits", "softmax-before-cross-entropy",
     "nll-without-log-softmax", "log-probs-into-bce", "bce-on-raw-logits", "dead-output-activation", "wrong-link",
     "penalty-detached", "loss-unbounded-below"),
    ("missing-zero-grad",),
    ("mse-on-sigmoid", "loss-for-wrong-task", "inverted-class-weights", "unsquared-norm-penalty",
     "weight-decay-on-bias",
     "double-batch-average", "l1-by-subgradient", "single-class-batches", "unshuffled-ordered-data",
     "eval-mode-forgotten",
     "argmax-on-single-output", "argmin-for-prediction", "constraint-not-imposed", "loss-history-keeps-graph"),
    # The problem itself.
    ("model-cannot-represent",),
    ("ill-conditioned-features", "lr-too-high"),
    ("lr-too-low", "adam-late-instability"),
    ("implicit-bias-not-max-margin",),
    ("separable-data",),
    ("float32-floor", "collinear-features"),
    ("stopped-early",),
)  # fmt: skip
RANK = {rule: tier for tier, rules in enumerate(TIERS) for rule in rules}
UNTRAINED = ("layer-created-in-forward", "optimizer-on-other-parameters", "zero-grad-before-step", "missing-step")
# Where nothing is trained, nothing can be said of how.
HOW = frozenset((
    "ill-conditioned-features", "lr-too-high", "lr-too-low", "stopped-early", "adam-late-instability", "float32-floor",
    "implicit-bias-not-max-margin", "unshuffled-ordered-data", "model-cannot-represent", "separable-data",
))  # fmt: skip
_WEIGHT = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.ADVICE: 2}


def ordered(findings: Sequence[Finding]) -> list[Finding]:
    """The findings, most important first; those that follow from another are left out."""
    stopped = any(f.rule in UNTRAINED and f.severity is not Severity.ADVICE for f in findings)
    kept = [f for f in findings if not (stopped and f.rule in HOW)]
    return sorted(kept, key=lambda f: (f.severity is Severity.ADVICE, RANK.get(f.rule, len(TIERS)), -f.weight,
                                       _WEIGHT[f.severity]))  # fmt: skip
