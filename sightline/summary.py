"""What there is to say about a fitted model: its name, coefficients, intervals, metrics and certificate, in words.

``Summary.of(result)`` reads the facts that travel with the result; the terminal's table and the report show it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sightline.certificate import Verdict
from sightline.coefficient import INTERCEPT, Coefficient, coefficient
from sightline.result import Result

_NAMES = {
    "squared": "least squares",
    "logistic": "logistic regression",
    "softmax": "multinomial logistic regression",
    "hinge": "support vector machine (hinge loss)",
    "squared_hinge": "support vector machine (squared hinge loss)",
    "huber": "Huber regression",
    "poisson": "Poisson regression",
    "quantile": "quantile regression",
}

_SCORES = {
    "logistic": "the log-odds of {positive}",
    "softmax": "the log-odds",
    "hinge": "the score of {positive}",
    "squared_hinge": "the score of {positive}",
    "poisson": "the log of the expected {target}",
}

_PROOFS = {
    "duality gap": "a feasible point of the dual problem has a value that no weights can go below",
    "self-concordance": "the loss can bend only so much within reach, so the Newton decrement bounds what is left",
    "self-concordance on a sample of the rows": "the Newton decrement; the sampling error is bounded",
    "strong convexity": "the L2 penalty bends the objective upwards, so the gradient bounds what is left",
    "normal equations": "the residual of the normal equations, computed in extended precision",
    "no loss is negative": "no loss is below zero",
    "optimum of the overlapping rows": "the overlapping rows have an optimum; the others cost at least nothing",
}

_ADVICE = {
    Verdict.NO_MINIMUM: "What to do: --C 1 (in Python: C=1), or a smaller C, makes an optimum exist.",
    Verdict.INACCURATE: "Allow more: --max-iter or --time-limit; or ask for less: --tol.",
    Verdict.INTERRUPTED: "Run it again without stopping it, or ask for less: --tol.",
}


@dataclass(frozen=True)
class Summary:
    """A view of a result with its facts; see ``sightline.facts.gather`` for what they hold."""

    result: Result
    facts: dict[str, Any]

    @classmethod
    def of(cls, result: Result, facts: dict[str, Any] | None = None) -> Summary:
        """The summary of a result, with the facts that travel with it unless others are given."""
        from sightline.facts import VERSION, gather

        known = facts if facts is not None else result.extra.get("facts")
        if not isinstance(known, dict) or known.get("version") != VERSION:
            known = gather(result, None)
        return cls(result, known)

    @property
    def base_name(self) -> str:
        """The model's name without the penalty: 'Logistic regression'."""
        name = _NAMES.get(self.result.loss.name, self.result.loss.name)
        if self.result.loss.name == "quantile":
            q = self.result.loss.quantile  # type: ignore[attr-defined]
            name = "median regression" if q == 0.5 else f"quantile regression at {q:g}"
        if self.result.loss.name == "huber":
            name += f" (delta {self.result.loss.delta:g})"  # type: ignore[attr-defined]
        return name[0].upper() + name[1:]

    @property
    def penalty_kind(self) -> str | None:
        """'L2', 'L1' or 'elastic-net'; None for no penalty."""
        penalty = self.result.penalty
        kinds = {(True, True): "elastic-net", (True, False): "L1", (False, True): "L2"}
        return kinds.get((penalty.l1 > 0, penalty.l2 > 0))

    @property
    def name(self) -> str:
        """The model's name: 'Logistic regression with an L2 penalty'."""
        kind = self.penalty_kind
        name = self.base_name + ("" if kind is None else f" with an {kind} penalty")
        name += " with Firth's penalty" if self.result.penalty.jeffreys else ""
        return name + (", coefficients ≥ 0" if self.result.penalty.positive else "")

    @property
    def penalty_words(self) -> str:
        """Strengths of the penalty, and scikit-learn's C where there is one."""
        penalty, total = self.result.penalty, self.result.total_weight
        if penalty.jeffreys:
            return str(penalty)
        if penalty.l1 == 0 and penalty.l2 == 0:
            return "none"
        strength = penalty.l1 + penalty.l2
        words = f"strength {strength:.4g}, C = {1 / (strength * total):.4g}"
        if penalty.l1 and penalty.l2:
            words += f", l1 ratio {penalty.l1 / strength:.4g}"
        return words

    @property
    def target(self) -> str:
        """The target's name, or 'the target'."""
        return self.facts.get("target") or "the target"

    @property
    def title(self) -> str:
        """The sentence of what was fitted."""
        test = self.facts["rows"]["test"]
        rows = f"{self.result.rows:,} rows" + (f", {test:,} more held out" if test else "")
        return f"{self.name}: {self.target} on {self.columns_words} ({rows})"

    @property
    def columns_words(self) -> str:
        """How many columns: '7 columns of penguins.csv, 9 with categories'."""
        p = self.result.weight.shape[1]
        read = self.facts.get("fields") or p
        words = ("1 column" if read == 1 else f"{read:,} columns") + f" of {self.facts['source'] or 'the data'}"
        return words if read == p else f"{words}, {p:,} with categories"

    @property
    def scores(self) -> str:
        """What a score is: the units of the coefficients' effect."""
        classes = self.result.classes
        positive = str(classes[1]) if classes is not None and len(classes) == 2 else "the class"
        return _SCORES.get(self.result.loss.name, "{target}").format(positive=positive, target=self.target)

    @cached_property
    def outputs(self) -> list[str]:
        """A name for each row of weights: the classes, or one that is empty."""
        count = self.result.weight.shape[0]
        if count == 1:
            return [""]
        classes = self.result.classes
        return [str(c) for c in classes] if classes is not None else [f"target {k + 1}" for k in range(count)]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        known = self.result.columns
        return known if known is not None else tuple(f"x{j + 1}" for j in range(self.result.weight.shape[1]))

    @cached_property
    def coefficients(self) -> list[list[Coefficient]]:
        """For each output the intercept, where there is one, and the coefficients in the order of the columns."""
        errors = self.facts["errors"] or {}
        spread = self.facts["spread"]
        factor = errors.get("factor")
        known = errors.get("coef")
        found = []
        for k, (output, row, bias) in enumerate(
            zip(self.outputs, self.result.weight.tolist(), self.result.bias.tolist(), strict=True)
        ):
            part = []
            if self.result.fit_intercept:
                ends = _ends(errors, "intercept", k)
                part.append(coefficient(INTERCEPT, output, bias, known and errors["intercept"][k], factor, None, ends))
            for j, estimate in enumerate(row):
                error = known and known[k][j]
                ends = _ends(errors, "coef", k, j)
                part.append(coefficient(self.columns[j], output, estimate, error, factor, spread and spread[j], ends))
            found.append(part)
        return found

    def largest(self, most: int) -> tuple[list[list[Coefficient]], int]:
        """The coefficients of at most ``most`` rows (a row of the intercept not counted), and how many are left out.

        All in the order of the data where they fit; else the largest by rank, in that order, zeros never.
        """
        each = [[c for c in part if c.name != INTERCEPT] for part in self.coefficients]
        total = sum(map(len, each))
        heads = [[c for c in part if c.name == INTERCEPT] for part in self.coefficients]
        if total <= most:
            return [head + part for head, part in zip(heads, each)], 0
        share = max(3, most // len(each))
        kept = [sorted((c for c in part if c.estimate != 0), key=lambda c: -c.rank)[:share] for part in each]
        return [head + part for head, part in zip(heads, kept)], total - sum(map(len, kept))

    @property
    def nonzero(self) -> int:
        """Number of coefficients that are not zero."""
        return int((self.result.weight != 0).sum())

    @property
    def ranked_by(self) -> str:
        """By what ``largest`` chooses, in words."""
        errors = self.facts["errors"] or {}
        if errors.get("coef"):
            return f"|{errors['kind']}|"
        return "size, each for one standard deviation of its column" if self.facts["spread"] else "size"

    @property
    def reason_without_errors(self) -> str | None:
        """Why there are no standard errors, or None if there are."""
        errors = self.facts["errors"]
        if errors is None:
            return "the data are not at hand"
        return None if errors.get("coef") else str(errors.get("reason"))

    @property
    def statistic(self) -> str:
        """'t' or 'z'."""
        return str((self.facts["errors"] or {}).get("kind") or "z")

    @property
    def dropped(self) -> list[tuple[str, str]]:
        """(column of text, level that has no column of its own)."""
        return list(self.facts["dropped"].items())

    def metric_rows(self) -> list[tuple[str, list[float | None], str]]:
        """(name, values on train and test, what it is) of each metric."""
        parts = self.facts["metrics"]
        names = {name: about for part in parts.values() for name, _, about in part}
        values = {which: {name: value for name, value, _ in part} for which, part in parts.items()}
        return [(name, [values[which].get(name) for which in parts], about) for name, about in names.items()]

    @property
    def metric_columns(self) -> list[str]:
        """'train', and 'test' where rows were held out."""
        return list(self.facts["metrics"])

    @property
    def centred(self) -> bool:
        """The coefficients of each column add up to zero over the classes."""
        weight = self.result.weight.double()
        if self.result.loss.name != "softmax":
            return False
        return bool((weight.sum(0).abs() <= 1e-6 * weight.abs().sum(0)).all())

    def verdict(self) -> str:
        """The certificate's verdict in one plain sentence with its number."""
        proof = self.result.certificate
        gap = f"{proof.gap:.1e}"
        if proof.verdict is Verdict.OPTIMAL:
            return f"Optimal: within {gap} of the best that any weights can do."
        if proof.verdict is Verdict.NOT_UNIQUE:
            return f"Optimal, but not the only one: within {gap} of the best; other weights do as well."
        if proof.verdict is Verdict.STATIONARY:
            return "At a maximum of the penalised likelihood; that it is the highest is not proven."
        if proof.verdict is Verdict.NO_MINIMUM:
            return "There is no optimum: the loss falls for ever as some coefficients grow; shown is where it stopped."
        short = f"within {gap} of the best" if math.isfinite(proof.gap) else "no bound on the gap was reached"
        what = "Stopped early" if proof.verdict is Verdict.INTERRUPTED else "Not at the optimum"
        return f"{what}: {short}, where {proof.tol:.0e} (relative) was asked."

    def proof(self) -> str:
        """What proves the gap, in words."""
        method = self.result.certificate.method
        words = _PROOFS.get(method.removeprefix("optimum found beside it; "))
        return method if words is None else f"{method}: {words}"

    def advice(self) -> str | None:
        """What to do about a verdict that is not OPTIMAL."""
        verdict, loss = self.result.certificate.verdict, self.result.loss.name
        advice = _ADVICE.get(verdict)
        if verdict is Verdict.NO_MINIMUM and loss in ("logistic", "softmax"):
            firth = " --penalty firth (sl.Firth()) gives bias-reduced estimates." if loss == "logistic" else ""
            advice = f"{advice}{firth} `sightline separation` (sl.separation) lists rows and coefficients."
        return advice

    def proof_dict(self) -> dict[str, Any]:
        """The certificate as values for JSON, with None for what is not finite."""
        told = self.result.certificate.to_dict()
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in told.items()}

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON: what the table shows, and the certificate."""
        return {
            "model": self.name, "loss": self.result.loss.name, "penalty": self.penalty_words,
            "target": self.facts["target"], "source": self.facts["source"],
            "classes": None if self.result.classes is None else list(self.result.classes),
            "rows": self.facts["rows"], "solver": self.result.solver, "steps": self.result.n_iter,
            "coefficients": [
                {
                    **({"class": c.output} if c.output else {}),
                    "name": c.name, "estimate": c.estimate, "standard_error": c.error, self.statistic: c.statistic,
                    "low": c.low, "high": c.high,
                }
                for part in self.coefficients for c in part
            ],
            "standard_errors": self.reason_without_errors or "ok",
            "metrics": {which: {n: v for n, v, _ in part} for which, part in self.facts["metrics"].items()},
            "certificate": self.proof_dict(), "notes": self.facts["notes"],
        }  # fmt: skip


def _ends(errors: dict[str, Any], what: str, *place: int) -> tuple[float | None, float | None] | None:
    """The ends of a profile interval, or None where the interval is one of standard errors."""
    if "low_" + what not in errors:
        return None
    low, high = errors["low_" + what], errors["high_" + what]
    for k in place:
        low, high = low[k], high[k]
    return low, high
