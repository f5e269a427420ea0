"""Constraints on rates, measured: `python -m bench.constraints`.

Ten seeds of the noisy-label case on the training rows; what the search for the true rates closes; how often a
guaranteed recall is broken on fresh data, and at which false-positive rate, beside MAPIE's risk control (in the
environment of `make bench`); and the time of a large problem.
"""

import argparse
import importlib.util
import json
import math
import time
import warnings

import numpy as np

import sightline as sl

LEVEL, DELTA = 0.9, 0.05


def noisy(seed, rows, flips, columns=10):
    """Labels by a hidden line, some inverted; the draws of the example of TensorFlow's constrained optimization."""
    draw = np.random.RandomState(seed)
    truth = draw.normal(size=columns) / math.sqrt(columns)
    X = draw.normal(size=(rows, columns)).astype(np.float32) / math.sqrt(columns)
    label = X @ truth > 0
    flipped = draw.choice(rows, flips, replace=False)
    label[flipped] = ~label[flipped]
    return X.astype(np.float64), np.where(label, 1, -1), truth


def fresh(truth, seed, rows=100_000):
    """New rows with the same hidden line, each label inverted with probability a fifth."""
    draw = np.random.RandomState(1_000_000 + seed)
    X = draw.normal(size=(rows, len(truth))) / math.sqrt(len(truth))
    return X, (X @ truth > 0) ^ (draw.uniform(size=rows) < 0.2)


def training(seeds=10, rows=100):
    """Mean hinge loss of the ways that keep recall on the training rows, and on how many seeds they do."""
    told = {"without": [], "proxy": [], "true rates": []}
    kept, closed, seconds = 0, 0, []
    for seed in range(seeds):
        X, y, _ = noisy(seed, rows, rows // 5)
        begun = time.perf_counter()
        result = sl.fit(X, y, loss="hinge", subject_to=[sl.recall() >= LEVEL], delta=None, warn=False)
        seconds.append(time.perf_counter() - begun)
        report = result.constraints
        told["without"].append(report.free)
        told["proxy"].append(report.proxy.value)
        told["true rates"].append(report.exact.value)
        kept += (result.predict(X)[y > 0] > 0).mean() >= LEVEL
        closed += result.certificate.optimal
    means = {name: float(np.mean(values)) for name, values in told.items()}
    return {"rows": rows, "mean hinge": means, "kept": int(kept), "proven optimal": int(closed), "of": seeds,
            "slowest fit, seconds": max(seconds)}  # fmt: skip


def closing(seeds=10, rows=300, limit=30.0, allowed=900.0):
    """Which constraints on 300 rows are closed within 30 s of processor time, and what is left where they are not.

    The search is given more by the clock, so that other work on the machine does not count.
    """

    def asked(X):
        group = X[:, 0] > 0
        return {
            "recall >= .9": [sl.recall() >= 0.9],
            "false-positive rate <= .05": [sl.false_positive_rate() <= 0.05],
            "precision >= .8": [sl.precision() >= 0.8],
            "recall of both groups >= .9": [sl.recall(where=group) >= 0.9, sl.recall(where=~group) >= 0.9],
            "difference of the groups' recalls <= .05": [abs(sl.recall(where=group) - sl.recall(where=~group)) <= 0.05],
        }

    told = {}
    for loss in ("hinge", "logistic"):
        for seed in range(seeds):
            X, y, _ = noisy(seed, rows, rows // 5)
            for name, constraints in asked(X).items():
                begun = time.process_time()
                result = sl.fit(
                    X, y, loss=loss, subject_to=constraints, delta=None, warn=False,
                    callback=lambda *_: time.process_time() - begun > limit, time_limit=allowed,  # noqa: B023
                )  # fmt: skip
                seconds, way = time.process_time() - begun, result.constraints.exact
                line = told.setdefault(f"{loss}, {name}", {"closed": 0, "of": seeds, "seconds": [], "gaps left": []})
                line["seconds"].append(seconds)
                if result.certificate.optimal:
                    line["closed"] += 1
                else:
                    line["gaps left"].append(way.gap / way.value)
    for line in told.values():
        spent = line.pop("seconds")
        line.update({"median seconds": float(np.median(spent)), "slowest": max(spent)})
    return {"rows": rows, "processor seconds allowed": limit, "constraints": told}


def rates(score, threshold, label):
    """(recall, false-positive rate) of a threshold."""
    return float((score[label] > threshold).mean()), float((score[~label] > threshold).mean())


def by_mapie(X, y, half, held, method):
    """Scores and threshold of MAPIE's risk control (Angelopoulos et al. 2021, "Learn then test") with its usual 100
    probabilities; of those that it proves, it delivers the one of the best precision."""
    from mapie.risk_control import BinaryClassificationController
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=np.inf).fit(X[half], y[half] > 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where it proves none, which is counted below
        control = BinaryClassificationController(
            model.predict_proba, risk="recall", target_level=LEVEL, confidence_level=1 - DELTA, fwer_method=method
        ).calibrate(X[held], y[held] > 0)
    threshold = control.best_predict_param
    return model, -math.inf if threshold is None else np.nextafter(float(threshold), -math.inf)


def new_data(seeds=200, rows=1000, loss="logistic"):
    """How often recall on fresh data is below the level, and the mean false-positive rate."""
    ways = {"order statistic (sightline)": [], "training rows' threshold": []}
    methods = {} if importlib.util.find_spec("mapie") is None else {
        "MAPIE, Bonferroni-Holm (its default)": "bonferroni_holm", "MAPIE, fixed sequence": "fixed_sequence",
    }  # fmt: skip
    ways.update({name: [] for name in methods})
    for seed in range(seeds):
        X, y, truth = noisy(seed, rows, rows // 5)
        new, label = fresh(truth, seed)
        result = sl.fit(X, y, loss=loss, subject_to=[sl.recall() >= LEVEL], delta=DELTA, seed=seed, time_limit=0,
                        warn=False)  # fmt: skip
        model = result.guaranteed()
        ways["order statistic (sightline)"].append(rates(model.scores(new).numpy(), 0.0, label))
        order = np.random.RandomState(seed).permutation(rows)  # the same halves
        for name, method in methods.items():
            theirs, t = by_mapie(X, y, order[: rows // 2], order[rows // 2 :], method)
            ways[name].append(rates(theirs.predict_proba(new)[:, 1], t, label))
        whole = sl.fit(X, y, loss=loss, warn=False)
        ours = np.sort(whole.scores(X).numpy()[y > 0])[::-1]
        t = np.nextafter(ours[math.ceil(LEVEL * len(ours)) - 1], -np.inf)
        ways["training rows' threshold"].append(rates(whole.scores(new).numpy(), t, label))
    told = {}
    for name, pairs in ways.items():
        recall, false = np.array(pairs).T
        told[name] = {"broken, share of seeds": float((recall < LEVEL).mean()), "mean recall": float(recall.mean()),
                      "mean false-positive rate": float(false.mean())}  # fmt: skip
    if not methods:
        told["MAPIE"] = "not installed"
    return {"rows": rows, "seeds": seeds, "delta": DELTA, "ways": told}


def large(rows=100_000, columns=50):
    """Seconds of the proxy and the guarantee of a large problem."""
    draw = np.random.RandomState(0)
    X = draw.normal(size=(rows, columns))
    y = np.where(X @ draw.normal(size=columns) + 4 * draw.normal(size=rows) > 2, 1, -1)
    told = {}
    for loss in ("hinge", "logistic", "squared_hinge"):
        begun = time.perf_counter()
        result = sl.fit(X, y, loss=loss, subject_to=[sl.recall() >= LEVEL], time_limit=0, warn=False)
        told[loss] = {"seconds": time.perf_counter() - begun, "proxy's gap": result.constraints.proxy.gap,
                      "guarantee": result.constraints.guarantee.holds}  # fmt: skip
    return told


def main():
    parser = argparse.ArgumentParser(prog="python -m bench.constraints", description=__doc__)
    choices = [[], "training", "closing", "new-data", "large"]
    parser.add_argument("part", nargs="*", choices=choices, help="all of them by default")
    parser.add_argument("--seeds", type=int, default=200, help="of new-data")
    asked = parser.parse_args()
    parts = {"training": training, "closing": closing, "new-data": lambda: new_data(asked.seeds), "large": large}
    for name, part in parts.items():
        if not asked.part or name in asked.part:
            print(json.dumps({name: part()}, indent=2), flush=True)


if __name__ == "__main__":
    main()
