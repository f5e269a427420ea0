"""What is proven of the direction in which each optimizer's weights grow on separable classes, and what is not.

For losses with an exponential tail (logistic, cross-entropy) and linear scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Theory:
    """norm : 'l2' or 'linf', in which the margin is the largest that weights of norm one can have; None where no such
    norm is known.  pace : 'log' (the angle falls like 1/log t), 'linear' (1/t), 'quadratic' (1/t²) or '' where no
    rate is known.  proven, open : in words.  sources : papers."""

    norm: str | None
    pace: str
    proven: str
    open: str
    sources: tuple[str, ...]


SOUDRY = "Soudry, Hoffer, Nacson, Gunasekar & Srebro 2018 (JMLR 19)"
GUNASEKAR = "Gunasekar, Lee, Soudry & Srebro 2018 (ICML)"
NACSON_SGD = "Nacson, Srebro & Soudry 2019 (AISTATS), stochastic gradient descent"
NACSON = "Nacson, Lee, Gunasekar, Savarese, Srebro & Soudry 2019 (AISTATS), convergence on separable data"
JI_PRIMAL = "Ji & Telgarsky 2021 (ALT)"
JI_DUAL = "Ji, Srebro & Telgarsky 2021 (ICML)"
MOMENTUM = "Wang, Meng, Zhang, Sun, Chen, Ma & Liu 2022 (NeurIPS)"
WANG = "Wang, Meng, Chen & Liu 2021 (ICML)"
ZHANG = "Zhang, Zou & Cao 2024 (NeurIPS)"
XIE = "Xie & Li 2024 (ICML)"
ROSSET = "Rosset, Zhu & Hastie 2004 (NIPS 16)"
JI_RISK = "Ji & Telgarsky 2019 (COLT)"
QIAN = "Qian & Qian 2019 (NeurIPS)"


def theory_of(name: str, settings: Mapping[str, Any], batches: bool) -> Theory:
    """The theory of a class of optimizers.

    name : of the class, in lower case.  settings : its arguments.  batches : it sees part of the rows in a step.
    """
    if name in ("sgd", "vanilla"):
        return _descent(settings, batches)
    if name == "normalizedgd":
        return _normalised(settings, batches)
    if name in ("adam", "adamw", "adamax", "nadam", "radam"):
        return _adam(name, settings, batches)
    if name == "rmsprop":
        return Theory(
            "l2", "", "with its eps fixed, full-batch RMSprop ends at the l2 maximum margin, since the gradient falls"
            " below eps in the end", "how long that takes; until then its steps are those of signs, whose margin is in"
            " the l-infinity norm; mini-batches", (WANG,),
        )  # fmt: skip
    if name == "adagrad":
        return Theory(
            None, "", "Adagrad tends to a maximum margin in a weighted l2 norm, whose weights depend on the start and"
            " on the way", "which weights these are before the run", (GUNASEKAR, QIAN),
        )  # fmt: skip
    return Theory(None, "", "nothing", f"where {name} tends to", ())


def theory_of_optimum(penalised: bool) -> Theory:
    """Where the weights settle at a point."""
    if penalised:
        return Theory(
            None, "", "with weight decay on every parameter that moves for ever the loss has one optimum, which descent"
            " with a learning rate below 2/L approaches geometrically, and which turns to the maximum margin as the"
            " decay tends to zero", "mini-batches and adaptive steps stop at a distance that depends on them",
            (ROSSET,),
        )  # fmt: skip
    return Theory(
        None, "", "where no direction separates any row the loss has an optimum, and descent with a learning rate below"
        " 2/L tends to it", "mini-batches and adaptive steps stop at a distance that depends on them", (JI_RISK,),
    )  # fmt: skip


def _descent(settings: Mapping[str, Any], batches: bool) -> Theory:
    momentum, nesterov = float(settings.get("momentum", 0.0) or 0.0), bool(settings.get("nesterov"))
    sources = [SOUDRY, GUNASEKAR]
    proven = "gradient descent with a fixed learning rate below 2/L tends to the l2 maximum margin, like 1/log t"
    left = "nothing for full batches"
    if batches:
        sources.append(NACSON_SGD)
        proven += "; so do mini-batches at a small enough fixed learning rate, each row once an epoch"
        left = "how small the learning rate has to be in practice"
    if momentum:
        sources.append(MOMENTUM)
        proven += "; heavy-ball momentum changes neither the direction nor the rate"
    if nesterov:
        left = "whether Nesterov's momentum keeps the direction"
    return Theory("l2", "log", proven, left, tuple(sources))


def _normalised(settings: Mapping[str, Any], batches: bool) -> Theory:
    left = "mini-batches" if batches else ""
    if settings.get("accelerated"):
        exact = settings.get("by") == "loss"
        return Theory(
            "l2", "quadratic", "with dual acceleration, divided by the loss (exponential loss, full batch), the margin"
            " comes within 1/t² of the l2 maximum, up to a logarithm",
            ", ".join(filter(None, [left, "" if exact else "the same divided by the gradient's norm"])) or "constants",
            (JI_DUAL,),
        )  # fmt: skip
    return Theory(
        "l2", "linear", "full-batch steps divided by the loss bring the margin within 1/t of the l2 maximum; divided"
        " by the gradient's norm, with falling steps, within log t/√t", left or "constant steps divided by the norm",
        (JI_PRIMAL, NACSON),
    )  # fmt: skip


def _adam(name: str, settings: Mapping[str, Any], batches: bool) -> Theory:
    decay = float(settings.get("weight_decay") or 0.0)
    if name == "adamw" and decay:
        return Theory(
            "linf", "", f"if AdamW converges, it is to the least loss among weights of at most 1/{decay:g} each, which"
            " for small decay points to the l-infinity maximum margin", "that it converges; the rate", (XIE,),
        )  # fmt: skip
    known = name in ("adam", "adamw")
    return Theory(
        "linf", "", "full-batch Adam without eps and with a falling learning rate tends to the l-infinity maximum"
        " margin" if known else "nothing; as a step of signs it is compared with the l-infinity maximum margin",
        "a fixed learning rate; " + ("mini-batches; " if batches else "") + "with eps the gradient falls below it in"
        " the end, and adaptive steps without momentum then turn to the l2 maximum margin (Wang et al. 2021)",
        (ZHANG, WANG),
    )  # fmt: skip
