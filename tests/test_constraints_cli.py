"""`sightline fit --require`: rates by name, class and group; the guarantee; what is said and saved."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from constraint_cases import noisy

import sightline as sl
from sightline.cli import main


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    X, y = noisy(0, 300, 30, columns=3)
    path = tmp_path_factory.mktemp("data") / "shop.csv"
    rows = ["a,b,c,sex,bought"]
    for i, (x, t) in enumerate(zip(X, y)):
        rows.append(",".join([*(f"{v:.6f}" for v in x), "mf"[i % 2], "yes" if t > 0 else "no"]))
    path.write_text("\n".join(rows) + "\n")
    return path


def run(file, tmp_path, *options):
    words = ["fit", str(file), "--target", "bought", "--drop", "sex", "--time-limit", "5", "--out", str(tmp_path / "m")]
    return CliRunner().invoke(main, [*words, *options])


def test_prints_and_saves(file, tmp_path):
    result = run(file, tmp_path, "--require", "recall>=0.9", "--require", "recall[sex=f]>=0.8")
    assert result.exit_code == 0, result.output
    asked = "Constraints: recall >= 0.9, recall[sex=f] >= 0.8"
    for words in (asked, "1  Convex proxy", "2  True rates", "4  New data"):
        assert words in result.output
    model = sl.load(tmp_path / "m" / "model.safetensors")
    table = np.genfromtxt(file, delimiter=",", skip_header=1, dtype=str)
    predicted = model.predict(table[:, :3].astype(float)) == "yes"
    bought = table[:, 4] == "yes"
    assert predicted[bought].mean() >= 0.9 and predicted[bought & (table[:, 3] == "f")].mean() >= 0.8
    assert model.extra["constraints"]["delivered"] == "exact"


def test_json_of_another_class(file, tmp_path):
    result = run(file, tmp_path, "--require", "recall(no)>=95%", "--json")
    told = json.loads(result.stdout)["constraints"]
    assert told["constraints"] == ["recall[of 'no'] >= 0.95"]
    assert told["exact"]["rates"][0] >= 0.95


def test_confidence_delivers_the_guarantee(file, tmp_path):
    result = run(file, tmp_path, "--require", "recall>=0.9", "--confidence", "0.9")
    assert result.exit_code == 0, result.output
    assert "with probability 0.9 the rates hold" in result.output
    assert "The weights are those of the guarantee for new data (4)." in result.output
    saved = sl.load(tmp_path / "m" / "model.safetensors")
    assert saved.bias.tolist() == saved.extra["constraints"]["guaranteed"]["bias"]


WRONG = [
    (["--require", "rcall>=0.9"], "Did you mean recall"),
    (["--require", "recall"], "is no constraint"),
    (["--require", "recall>=90"], "Did you mean 0.9"),
    (["--require", "recall[sex=x]>=0.9"], "column 'sex' holds"),
    (["--require", "recall[sexe=f]>=0.9"], "sexe"),
    (["--require", "recall(maybe)>=0.9"], "no class 'maybe'"),
    (["--require", "recall>=0.9", "--loss", "squared"], "needs numbers"),
    (["--require", "recall>=0.9", "--penalty", "firth"], "is not convex"),
    (["--require", "recall>=0.9", "--confidence", "2"], "--confidence is 2"),
    (["--require", "recall>=0.999", "--confidence", "0.95"], "held-out rows to count on"),
    (["--confidence", "0.9"], "--confidence belongs to --require"),
]


@pytest.mark.parametrize("options, words", WRONG, ids=[w for _, w in WRONG])
def test_errors_are_sentences(file, tmp_path, options, words):
    result = run(file, tmp_path, *options)
    assert result.exit_code == 2 and words in result.output
    assert not (tmp_path / "m").exists()
