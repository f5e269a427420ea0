"""Trainings from a file, in Python and by `sightline show`: their replay, with and without the rows."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from show_page_cases import page_of, training
from test_show_page import data_of, near, read

import sightline as sl
from sightline.cli import main
from sightline.show.page import page
from sightline.show.picture import PictureError
from sightline.show.replay_saved import own_units

SAVED = ("line", "fahrenheit", "iris", "three_irises", "decayed", "petals")


def saved(name: str, folder: Path) -> sl.Training:
    training(name).save(folder / "training.safetensors")
    found = sl.load(folder / "training.safetensors")
    assert isinstance(found, sl.Training)
    return found


def rows(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    result = training(name)
    assert result.X is not None and result.y is not None
    y = result.y[:, 0] if result.y.ndim == 2 else result.y
    return result.X, y.long() if result.classes is not None else y


def sightline(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), prog_name="sightline")


@pytest.mark.parametrize("name", SAVED)
def test_with_its_rows_it_is_the_same_replay(name, tmp_path):
    told, wanted = data_of(page(saved(name, tmp_path), rows(name))), data_of(page_of(name))
    assert told["frames"]["step"] == wanted["frames"]["step"]
    near(told["frames"]["gap"], wanted["frames"]["gap"])
    near(told["surface"]["levels"], wanted["surface"]["levels"], 1e-4)
    near(told["surface"]["z"][10], wanted["surface"]["z"][10], 1e-4)
    for key in ("weights", "shape", "labels", "stepname"):
        assert told[key] == wanted[key]
    assert told["optimum"]["loss"] == pytest.approx(wanted["optimum"]["loss"], rel=1e-5, abs=1e-12)


def test_without_its_rows_it_has_its_losses(tmp_path):
    html = page(saved("line", tmp_path))
    found, trace = data_of(html), training("line").trace
    assert found["surface"] is None and found["space"] is None
    near(found["frames"]["loss"], trace.loss)
    near(found["frames"]["gap"], [2 * g for g in trace.gap])  # MSELoss is not halved
    words = " ".join(read(html).words)
    assert "It stopped short: 0.712 above the certified optimum." in words
    assert "the rows are not in the file" in words.lower() and "--data FILE" in words


def test_a_bent_training_has_its_losses(tmp_path):
    html = page(saved("bent", tmp_path))
    near(data_of(html)["frames"]["loss"], training("bent").trace.loss)
    with pytest.raises(PictureError, match="no linear model"):
        page(saved("bent", tmp_path), rows("two_points"))


def test_other_rows_are_refused(tmp_path):
    X, y = rows("line")
    with pytest.raises(PictureError, match=r"which recorded 0\.360006: give those"):
        page(saved("line", tmp_path), (X, y + 1))


def test_units_are_kept(tmp_path):
    for name, factor in (("line", 2.0), ("iris", 1.0), ("decayed", 1.0)):
        assert own_units(saved(name, tmp_path)) == pytest.approx((factor, 0.0), rel=1e-6)


def test_units_from_what_was_recorded_in_files_of_before_they_were_kept(tmp_path):
    for name, units in (("line", (2.0, 0.0)), ("iris", (1.0, 0.0)), ("decayed", None)):
        found = own_units(dataclasses.replace(saved(name, tmp_path), kept=None))
        assert found is units if units is None else found == pytest.approx(units, rel=1e-6)


def test_rows_weigh_in_a_loaded_training_what_they_weighed(tmp_path):
    kept = saved("three_irises", tmp_path).kept  # its last batch is short
    assert kept.row_weights is not None and kept.row_weights.unique().numel() == 2
    again = saved("three_irises", tmp_path)
    again.save(tmp_path / "twice.safetensors")
    assert torch.equal(sl.load(tmp_path / "twice.safetensors").kept.row_weights, kept.row_weights)
    X, y = rows("three_irises")
    with pytest.raises(PictureError, match=f"there are {len(X) - 1} rows, and {len(X)} were trained on"):
        page(saved("three_irises", tmp_path), (X[:-1], y[:-1]))


def test_show_prints_a_training(tmp_path):
    saved("line", tmp_path)
    done = sightline("show", str(tmp_path / "training.safetensors"))
    assert done.exit_code == 0 and "The recipe minimises the mean squared error." in done.output
    told = json.loads(sightline("show", str(tmp_path / "training.safetensors"), "--json").output)
    assert told["steps"] == 120 and told["certificate"]["verdict"] == "INACCURATE"
    assert told["weight"] == training("line").weight.tolist()


def test_show_writes_the_replay(tmp_path):
    saved("line", tmp_path)
    X, y = rows("line")
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["x", "y"])
        table.writerows([repr(a), repr(b)] for a, b in zip(X[:, 0].tolist(), y.tolist(), strict=True))
    html, model = tmp_path / "replay.html", str(tmp_path / "training.safetensors")
    done = sightline("show", model, "--html", str(html), "--data", str(tmp_path / "rows.csv"), "--target", "y")
    assert done.exit_code == 0, done.output
    assert f"replay  {html}" in done.output
    assert data_of(html.read_text(encoding="utf-8"))["space"]["kind"] == "line"
    assert sightline("show", model, "--html", str(html)).exit_code == 0  # ours may be replaced
    assert data_of(html.read_text(encoding="utf-8"))["space"] is None


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--data", "rows.csv"], "--html FILE"),
        (["--html", "new.html", "--data", "rows.csv"], "--target COLUMN"),
        (["--html", "new.html", "--data", "rows.csv", "--target", "z"], "z"),
        (["--html", "new.html", "--data", "rows.csv", "--target", "a"], "2 columns beside the target"),
        (["--html", "rows.csv"], "no report of Sightline's"),
    ],
)
def test_show_says_what_is_wrong(more, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved("line", tmp_path)
    (tmp_path / "rows.csv").write_text("a,b,c\n1,2,3\n2,3,4\n", encoding="utf-8")
    done = sightline("show", "training.safetensors", *more)
    assert done.exit_code == 2 and said in done.output
    assert not (tmp_path / "new.html").exists()
