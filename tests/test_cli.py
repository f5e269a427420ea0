"""The command line does what it says: fit, predict, show and certify, in one process and in real ones."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import sightline as sl
from sightline.cli import main
from sightline.progress import Progress
from sightline.tables import prepare, read

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the penguins, to work in."""
    shutil.copy(ROOT / "examples" / "penguins.csv", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sightline(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(main, list(arguments), prog_name="sightline")
    assert done.exit_code == code, f"{done.output}\n{done.exception!r}"
    return done


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_fit_prints_the_table_and_writes_model_and_report(folder):
    done = sightline("fit", "penguins.csv", "--target", "sex")
    assert "logistic loss (the probability of 'male')" in done.stderr
    for words in ("Logistic regression: sex on 7 columns of penguins.csv, 9 with categories (333 rows)",
                  "bill_depth_mm", "std. error", "95 % from", "accuracy",
                  "Optimal: within", "compared with 'Adelie'", "solver newton"):  # fmt: skip
        assert words in done.stdout
    result = sl.load(folder / "sightline-sex" / "model.safetensors")
    assert result.certificate.optimal and result.classes == ("female", "male")
    assert result.certificate.value == pytest.approx(0.18868423933, abs=1e-10)
    assert (folder / "sightline-sex" / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_table_has_the_documented_statistics(folder):
    told = json.loads(sightline("fit", "penguins.csv", "--target", "sex", "--json").stdout)
    z = {c["name"]: c["z"] for c in told["coefficients"]}
    assert [round(z[name], 1) for name in ("bill_length_mm", "bill_depth_mm", "body_mass_g")] == [4.7, 4.8, 5.2]
    assert told["metrics"]["train"]["accuracy"] == pytest.approx(307 / 333)
    assert told["certificate"]["verdict"] == "OPTIMAL" and told["files"]["model"].endswith("model.safetensors")
    one = told["coefficients"][1]
    assert one["high"] - one["low"] == pytest.approx(2 * 1.959963984540054 * one["standard_error"])


def test_intervals_of_least_squares_are_students(folder):
    told = json.loads(sightline("fit", "penguins.csv", "--target", "body_mass_g", "--json").stdout)
    one = told["coefficients"][1]
    assert (one["high"] - one["low"]) / (2 * one["standard_error"]) == pytest.approx(1.967336, abs=1e-6)  # t, 323 df
    assert "t" in one and told["metrics"]["train"]["R²"] > 0.8


def test_no_minimum_is_said_with_what_to_do(folder):
    done = sightline("fit", "penguins.csv", "--target", "species")
    assert "There is no optimum" in done.stdout and "--C 1" in done.stdout and "No standard errors" in done.stdout
    quiet = sightline("fit", "penguins.csv", "--target", "species", "--quiet")
    assert quiet.stdout == "" and "There is no optimum" in quiet.stderr
    done = sightline("fit", "penguins.csv", "--target", "species", "--C", "1")
    assert "Optimal" in done.stdout and "with an L2 penalty" in done.stdout and "class Gentoo" in done.stdout


def test_held_out_rows_are_encoded_by_the_training_rows(folder):
    arguments = ("fit", "penguins.csv", "--target", "sex", "--test-size", "0.25", "--json", "--seed")
    told = json.loads(sightline(*arguments, "3").stdout)
    assert told["rows"] == {"train": 250, "test": 83} and set(told["metrics"]) == {"train", "test"}
    again = json.loads(sightline(*arguments, "3").stdout)
    other = json.loads(sightline(*arguments, "4").stdout)
    assert told["metrics"] == again["metrics"] != other["metrics"]


def test_a_category_seen_once_stays_in_training(folder):
    lines = ["kind,x,y"] + [f"{'ab'[i % 2]},{i * 7 % 10},{(i * 13 % 17) / 3}" for i in range(40)] + ["lone,3,1.5"]
    Path("few.csv").write_text("\n".join(lines) + "\n")
    for seed in range(8):
        done = sightline("fit", "few.csv", "--target", "y", "--test-size", "0.5", "--seed", str(seed))
        assert "Optimal" in done.stdout
        if "went back to training" in done.stderr:
            break
    else:
        raise AssertionError("the lone row was never drawn")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--target", "sex", "--loss", "svm"], ["hinge loss", "C = 1 taken", "no likelihood", "AUC"]),
        (["--target", "sex", "--loss", "squared-hinge", "--C", "0.1"], ["squared hinge"]),
        (["--target", "sex", "--penalty", "l1"], ["with an L1 penalty", "C = 1 taken", "penalised weights are biased"]),
        (["--target", "sex", "--l1-ratio", "0.5", "--strength", "0.01"], ["an elastic-net penalty", "l1 ratio 0.5"]),
        (["--target", "sex", "--class-weight", "balanced"], ["weights of classes are not counts"]),
        (["--target", "sex", "--no-intercept", "--C", "inf"], ["Logistic regression: sex"]),
        (["--target", "body_mass_g", "--quantile", "0.9"], ["Quantile regression at 0.9", "share below"]),
        (["--target", "body_mass_g", "--loss", "median"], ["Median regression"]),
        (["--target", "body_mass_g", "--delta", "100"], ["Huber regression (delta 100)", "share of outliers"]),
        (["--target", "body_mass_g", "--model", "poisson", "--drop", "year"], ["Poisson regression", "D²"]),
        (["--target", "body_mass_g", "--strength", "0.1"], ["Least squares with an L2 penalty"]),
        (["--target", "sex", "--categorical", "year"], ["year[2008]", "compared with '2007'"]),
    ],
)
def test_models_and_their_options(folder, options, words):
    done = sightline("fit", "penguins.csv", *options, "--out", "here")
    for word in words:
        assert word.replace("no likelihood", "is not a likelihood") in done.stdout + done.stderr
    assert sl.load("here/model.safetensors").certificate.optimal
    assert "Optimal" in done.stdout


def test_many_rows_of_two_labels(folder):
    x = np.random.default_rng(4).normal(size=3000)
    np.savez("two.npz", X=x[:, None], y=(x + np.roll(x, 1) > 0).astype(int))
    assert "Optimal" in sightline("fit", "two.npz", "--target", "y").stdout


def test_weights_and_offset_are_columns(folder):
    rng = np.random.default_rng(0)
    x, exposure = rng.normal(size=200), rng.uniform(0.5, 4, 200)
    y = rng.poisson(exposure * np.exp(0.3 + 0.5 * x))
    w = rng.integers(0, 3, 200)
    text = "x,log_exposure,w,y\n" + "".join(f"{a},{np.log(e)},{k},{c}\n" for a, e, k, c in zip(x, exposure, w, y))
    Path("counts.csv").write_text(text)
    sightline("fit", "counts.csv", "--target", "y", "--loss", "poisson", "--offset", "log_exposure", "--weights", "w")
    result = sl.load("sightline-y/model.safetensors")
    expected = sl.fit(x[:, None], y, loss="poisson", sample_weight=w, offset=np.log(exposure))
    assert result.weight.numpy() == pytest.approx(expected.weight.numpy(), rel=1e-12)
    said = rows(sightline("predict", "sightline-y", "counts.csv").stdout)
    rate = np.exp(result.scores(x[:, None]).numpy() + np.log(exposure))
    assert [float(row["prediction"]) for row in said] == pytest.approx(rate, rel=1e-12)
    assert "Optimal" in sightline("certify", "sightline-y", "counts.csv").stdout
    Path("bare.csv").write_text("x\n1\n")
    assert "lacks the column 'log_exposure'" in sightline("predict", "sightline-y", "bare.csv", code=2).stderr


def test_predictions_match_columns_by_name(folder):
    sightline("fit", "penguins.csv", "--target", "sex", "--out", "m")
    table = read("penguins.csv", target="sex")
    result = sl.load("m/model.safetensors")
    expected = result.predict_proba(prepare(table).X).numpy()
    lines = [line.split(",") for line in Path("penguins.csv").read_text().splitlines()]
    Path("turned.csv").write_text("\n".join(",".join([*reversed(line), "more"]) for line in lines) + "\n")
    done = sightline("predict", "m", "turned.csv", "--probability", "--out", "said.csv")
    assert done.stdout == "" and done.stderr == ""
    said = rows(Path("said.csv").read_text())
    assert list(said[0]) == ["prediction", "probability[female]", "probability[male]"]
    assert [float(row["probability[male]"]) for row in said] == pytest.approx(expected[:, 1], rel=1e-12)
    assert [row["prediction"] for row in said] == result.predict(prepare(table).X).tolist()


def test_a_row_left_out_gets_an_empty_prediction(folder):
    sightline("fit", "penguins.csv", "--target", "body_mass_g", "--missing", "drop", "--out", "m")
    lines = Path("penguins.csv").read_text().splitlines()
    Path("holes.csv").write_text("\n".join([lines[0], lines[1], lines[2].replace("39.5", "NA"), lines[3]]) + "\n")
    done = sightline("predict", "m", "holes.csv")
    assert [bool(row["prediction"]) for row in rows(done.stdout.replace("\n\n", "\n\"\"\n"))] == [True, False, True]
    assert "left out" in done.stderr


def test_show_gives_the_same_table_and_report(folder):
    fitted = sightline("fit", "penguins.csv", "--target", "sex").stdout
    shown = sightline("show", "sightline-sex", "--html", "again.html").stdout
    assert shown.partition("\nreport")[0] == fitted.partition("\nmodel")[0]
    assert Path("again.html").read_bytes() == Path("sightline-sex/report.html").read_bytes()
    told = json.loads(sightline("show", "sightline-sex/model.safetensors", "--json").stdout)
    assert told["certificate"]["verdict"] == "OPTIMAL"


def test_show_and_predict_take_a_model_saved_from_python(folder):
    X = np.random.default_rng(1).normal(size=(50, 2))
    sl.fit(X, X @ [1.0, 2.0] + 0.1 * X[:, 0] ** 2, loss="squared").save("own.safetensors")
    assert "the data are not at hand" in sightline("show", "own.safetensors").stdout
    np.save("new.npy", X[:3])
    assert len(rows(sightline("predict", "own.safetensors", "new.npy").stdout)) == 3


def test_certify_says_how_far_on_other_rows(folder):
    sightline("fit", "penguins.csv", "--target", "sex", "--out", "m")
    assert "Optimal" in sightline("certify", "m", "penguins.csv").stdout
    lines = Path("penguins.csv").read_text().splitlines()
    Path("part.csv").write_text("\n".join([lines[0], *lines[1::2]]) + "\n")
    done = sightline("certify", "m", "part.csv", "--target", "sex", code=1)
    assert "Not at the optimum" in done.stdout
    told = json.loads(sightline("certify", "m", "part.csv", "--json", code=1).stdout)
    assert told["verdict"] == "INACCURATE" and told["gap"] > 0


def test_wide_models_show_the_largest(folder):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(60, 300))
    np.savez("wide.npz", X=X, y=(X[:, 7] + 0.1 * rng.normal(size=60) > 0).astype(int))
    arguments = ("fit", "wide.npz", "--target", "y", "--penalty", "l1", "--C", "1", "--out", "w")
    done = sightline(*arguments)
    table = done.stdout.split("Shown are the largest")[0].splitlines()
    assert table[4].startswith("x8 ") and len(table) < 40
    assert "of them zero: --all shows them" in " ".join(done.stdout.split())
    assert "x300" in sightline(*arguments, "--all").stdout


def test_features_with_a_labels_file_and_other_kinds(folder):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(90, 3))
    y = (X[:, :1] + rng.normal(size=(90, 3))).argmax(1)
    np.save("X.npy", X)
    np.savetxt("y.txt", y, fmt="%d")
    done = sightline("fit", "X.npy", "--labels", "y.txt", "--out", "a")
    assert "softmax loss" in done.stderr and "class 2" in done.stdout and "add up to zero" in done.stdout
    Path("a.libsvm").write_text("".join(f"{c} 1:{a:.17g} 2:{b:.17g} 3:{d:.17g}\n" for c, (a, b, d) in zip(y, X)))
    sightline("fit", "a.libsvm", "--out", "b")
    a, b = sl.load("a/model.safetensors"), sl.load("b/model.safetensors")
    assert a.weight.numpy() == pytest.approx(b.weight.numpy(), rel=1e-9)
    pd = pytest.importorskip("pandas")
    pd.DataFrame(X, columns=["x1", "x2", "x3"]).assign(y=y).to_parquet("a.parquet")
    sightline("fit", "a.parquet", "--target", "y", "--out", "c")
    assert sl.load("c/model.safetensors").weight.numpy() == pytest.approx(a.weight.numpy(), rel=1e-12)


def test_a_stop_keeps_the_best_so_far(folder):
    done = sightline("fit", "penguins.csv", "--target", "sex", "--max-iter", "2")
    assert "Not at the optimum" in done.stdout and "--max-iter" in done.stdout
    assert sl.load("sightline-sex/model.safetensors").certificate.verdict is sl.Verdict.INACCURATE


def test_ctrl_c_keeps_the_best_so_far(folder):
    """A real signal in a real process, sent at the second step."""
    code = """
import os, signal, sys
from sightline.progress import Progress
def at_second(self, number, step):
    if number == 2:
        os.kill(os.getpid(), signal.SIGINT)
    return False
Progress.__call__ = at_second
sys.argv = ["sightline", "fit", "penguins.csv", "--target", "sex"]
from sightline.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 128 + signal.SIGINT, done.stderr
    assert "Stopped early" in done.stdout and "Traceback" not in done.stderr
    assert sl.load("sightline-sex/model.safetensors").certificate.verdict is sl.Verdict.INTERRUPTED


def test_ctrl_c_after_the_fit_leaves_out_standard_errors(folder, monkeypatch):
    monkeypatch.setattr("sightline.facts.errors", interrupted)
    done = sightline("fit", "penguins.csv", "--target", "sex", code=130)
    assert "No standard errors: their computation was interrupted" in done.stdout and "accuracy" in done.stdout


def test_ctrl_c_before_the_fit_leaves_nothing(folder, monkeypatch):
    monkeypatch.setattr("sightline.commands.fit.prepare", interrupted)
    done = sightline("fit", "penguins.csv", "--target", "sex", code=130)
    assert "interrupted" in done.stderr and not Path("sightline-sex").exists()


def test_what_is_not_ours_is_not_overwritten(folder):
    Path("sightline-sex").mkdir()
    Path("sightline-sex/report.html").write_text("<p>mine</p>")
    done = sightline("fit", "penguins.csv", "--target", "sex", code=2)
    assert "was not written by Sightline" in done.stderr
    assert Path("sightline-sex/report.html").read_text() == "<p>mine</p>"
    assert not Path("sightline-sex/model.safetensors").exists()
    assert "no report of Sightline's" in sightline_show_onto("sightline-sex/report.html")
    sightline("fit", "penguins.csv", "--target", "sex", "--out", "m")
    before = Path("m/model.safetensors").read_bytes()
    sightline("fit", "penguins.csv", "--target", "sex", "--out", "m", "--C", "1")
    assert Path("m/model.safetensors").read_bytes() != before
    assert sorted(os.listdir("m")) == ["model.safetensors", "report.html"]


def sightline_show_onto(path: str) -> str:
    sightline("fit", "penguins.csv", "--target", "sex", "--out", "other", "--quiet")
    return sightline("show", "other", "--html", path, code=2).stderr


def test_the_command_itself(folder):
    """The console script in a process of its own: output, errors, a closed pipe."""
    script = Path(sys.executable).with_name("sightline")
    command = [str(script)] if script.exists() else [sys.executable, "-m", "sightline.cli"]

    def run(*arguments: str, **options: Any) -> Any:
        return subprocess.run(
            [*command, *arguments], capture_output=True, text=True, timeout=120, check=False, **options
        )

    done = run("fit", "penguins.csv", "--target", "sex")
    assert done.returncode == 0 and "Optimal" in done.stdout and "\x1b" not in done.stdout
    done = run("fit", "no.csv", "--target", "sex")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "sightline: there is no file no.csv\n"
    done = run("show", "sightline-sex", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0 and "Optimal" in done.stdout, done.stderr


def test_progress_is_shown_only_on_a_terminal_and_only_when_it_takes_long():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    class Bound:
        gap = 3e-4

    class Step:
        value, bound = 0.25, Bound()

    import time

    shown = Terminal()
    with Progress(shown, delay=0.01) as progress:
        progress.stage("reading")
        time.sleep(0.3)
        assert progress(7, Step()) is False
        time.sleep(0.2)
    assert "step 7" in shown.getvalue() and "3.0e-04" in shown.getvalue()
    for file, quiet, delay in ((Terminal(), False, 10.0), (io.StringIO(), False, 0.0), (Terminal(), True, 0.0)):
        with Progress(file, delay=delay, quiet=quiet) as progress:
            progress(1, Step())
            time.sleep(0.02)
        assert file.getvalue() == ""
