"""Model files: every number comes back; damage is noticed; a failed save leaves the old file."""

import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

import sightline as sl
from sightline.model_file import to_bytes, write_whole


def fitted(loss="logistic", dtype=np.float64, labels=("no", "yes"), **options):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3)).astype(dtype)
    z = X[:, 0] + rng.normal(size=60)
    y = {"poisson": rng.poisson(1.5, 60), "softmax": np.digitize(z, [-0.5, 0.5])}.get(loss, z)
    if loss in ("logistic", "hinge", "squared_hinge"):
        y = np.asarray(labels)[(z > 0).astype(int)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sl.ConvergenceWarning)
        return sl.fit(X, y, loss=loss, columns=["a", "b", "ü ☃"], **{"penalty": "l2", "strength": 0.1, **options}), X


def same(a, b):
    for field in dataclasses.fields(a):
        one, two = getattr(a, field.name), getattr(b, field.name)
        if isinstance(one, torch.Tensor):
            assert one.dtype == two.dtype and torch.equal(one, two), field.name
        elif field.name == "trace":
            assert list(map(repr, one)) == list(map(repr, two))
        else:
            assert one == two and type(one) is type(two), field.name


LOSSES = [sl.Squared(), sl.Logistic(), sl.Softmax(), sl.Huber(delta=0.3), sl.Poisson(), sl.SquaredHinge()]


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_everything_comes_back(tmp_path, loss, dtype):
    result, X = fitted(loss.name, dtype)
    result = replace(result, loss=loss, extra={"encoder": [1, None, "x"], "nan": None})
    path = tmp_path / "model.safetensors"
    result.save(path)
    back = sl.load(path)
    same(result, back)
    assert torch.equal(result.scores(X), back.scores(X))
    assert path.read_bytes() == to_bytes(back)  # the same model, the same bytes


def test_labels_keep_their_types(tmp_path):
    result, X = fitted()
    for classes in [("a", "b"), (1, 2), (0.5, 2.5), (False, True), (1, "1")]:
        replace(result, classes=classes).save(tmp_path / "m")
        assert list(map(repr, sl.load(tmp_path / "m").classes)) == list(map(repr, classes))
    result = replace(result, classes=(np.int64(3), np.str_("x")))
    result.save(str(tmp_path / "m"))
    assert sl.load(str(tmp_path / "m")).classes == (3, "x")


def test_witness_and_infinite_gap_come_back(tmp_path):
    X = np.array([[0.0], [1], [2], [3]])
    with pytest.warns(sl.ConvergenceWarning):
        result = sl.fit(X, [0, 0, 1, 1], loss="logistic")
    result = replace(result, certificate=replace(result.certificate, gap=float("inf")))
    result.save(tmp_path / "m")
    assert sl.load(tmp_path / "m").certificate == result.certificate


def test_safetensors_reads_it(tmp_path):
    from safetensors import safe_open

    result, _ = fitted("softmax")
    result.save(tmp_path / "m.safetensors")
    with safe_open(tmp_path / "m.safetensors", "pt") as file:
        assert torch.equal(file.get_tensor("weight"), result.weight)
        assert file.metadata()["format"] == "sightline-model"


def test_what_cannot_be_saved_is_named(tmp_path):
    result, _ = fitted()

    class Mine(sl.Squared):
        pass

    for wrong, match in [
        (replace(result, classes=(None, 1)), "label None"),
        (replace(result, extra={"f": object()}), "JSON"),
        (replace(result, loss=Mine()), "not one of Sightline's"),
        (replace(result, weight=result.weight.half()), "float16"),
    ]:
        with pytest.raises(sl.ModelFileError, match=match) as error:
            wrong.save(tmp_path / "m")
        assert "m" in str(error.value)
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------------------------------------------- damage


def test_a_flipped_bit_anywhere_is_noticed(tmp_path):
    result, _ = fitted()
    result = replace(result, extra={})
    content = to_bytes(result)
    path = tmp_path / "m"
    for i in range(len(content)):
        for bit in (i % 8, (i + 5) % 8):
            path.write_bytes(content[:i] + bytes([content[i] ^ (1 << bit)]) + content[i + 1 :])
            with pytest.raises(sl.ModelFileError, match=str(path)):
                sl.load(path)


def test_truncated_extended_and_foreign_files(tmp_path):
    import pickle

    from safetensors.torch import save

    content = to_bytes(fitted()[0])
    path = tmp_path / "m"
    cut = [content[:i] for i in (0, 1, 7, 8, 9, 100, len(content) // 2, len(content) - 1)]
    huge = (2**63).to_bytes(8, "little") + b"{}"
    foreign = [b"", b"\0" * 100, content + b"\0", content * 2, pickle.dumps({"a": 1}), huge, b"a,b\n1,2\n" * 50,
               save({"weight": torch.ones(1, 3), "bias": torch.ones(1)})]  # fmt: skip
    for bad in cut + foreign:
        path.write_bytes(bad)
        with pytest.raises(sl.ModelFileError, match=str(path)):
            sl.load(path)
    with pytest.raises(sl.ModelFileError, match="No such file"):
        sl.load(tmp_path / "absent")
    with pytest.raises(sl.ModelFileError, match="not a file"):
        sl.load(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(sl.ModelFileError, match="not a file"):
        sl.load(tmp_path / "fifo")


def forged(content, change):
    """The file with its header changed and a checksum that is right."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    model = json.loads(header["__metadata__"]["model"])
    change(header, model)
    header["__metadata__"]["model"] = json.dumps(model)
    header["__metadata__"]["sha256"] = "0" * 64
    text = json.dumps(header, separators=(",", ":")).encode()
    whole = len(text).to_bytes(8, "little") + text + content[8 + length :]
    return whole.replace(b"0" * 64, hashlib.sha256(whole).hexdigest().encode(), 1)


def test_forged_records_are_refused(tmp_path):
    content = to_bytes(fitted()[0])
    path = tmp_path / "m"

    def put(place, value):
        def change(header, model):
            target = {"header": header, "model": model}[place[0]]
            for key in place[1:-1]:
                target = target[key]
            target[place[-1]] = value

        return change

    path.write_bytes(forged(content, lambda header, model: None))
    sl.load(path)
    deep = []
    for _ in range(500):
        deep = [deep]
    for change in [
        put(("header", "weight", "shape"), [1, 4]),
        put(("header", "weight", "shape"), [2**62, 4]),
        put(("header", "weight", "shape"), [-1, -3]),
        put(("header", "weight", "dtype"), "I64"),
        put(("header", "weight", "data_offsets"), [0, 8]),
        put(("header", "bias", "data_offsets"), [8, 16]),
        put(("header", "__metadata__", "version"), "2"),
        put(("model", "columns"), ["a"]),
        put(("model", "columns"), "abc"[:2]),
        put(("model", "classes"), [["eval", "1"], ["int", 1]]),
        put(("model", "classes"), [["int", "1"], ["int", 1]]),
        put(("model", "classes"), [["int", 1]]),
        put(("model", "loss", "name"), "__import__"),
        put(("model", "loss", "name"), "quantile"),
        put(("model", "loss", "quantile"), 0.5),
        put(("model", "certificate", "verdict"), "PERFECT"),
        put(("model", "certificate", "value"), "0"),
        put(("model", "penalty", "l2"), -1.0),
        put(("model", "rows"), 1.5),
        put(("model", "extra"), deep),
        lambda header, model: model.pop("solver"),
        lambda header, model: header.pop("weight"),
        lambda header, model: header.pop("trace.gap"),
    ]:
        path.write_bytes(forged(content, change))
        try:
            sl.load(path)
        except sl.ModelFileError as error:
            assert str(path) in str(error)
        else:
            pytest.fail(f"accepted: {path.read_bytes()[:2000]!r}")


def test_reading_takes_at_most_twice_the_file(tmp_path):
    result, _ = fitted()
    result = replace(result, weight=torch.ones(1, 1_000_000, dtype=torch.float64), columns=None)
    path = tmp_path / "m"
    result.save(path)
    sl.load(path)
    tracemalloc.start()
    sl.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 2 * path.stat().st_size


# ---------------------------------------------------------------------------------------------------------- saving


CALLS = ["write", "fchmod", "fsync", "replace", "close"]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("old", [True, False])
def test_a_failing_call_leaves_everything_as_it_was(tmp_path, monkeypatch, call, old):
    path = tmp_path / "model.safetensors"
    if old:
        path.write_bytes(b"old")
    real, count = getattr(os, call), 0

    def failing(*args):
        if call == "close":
            real(*args)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing)
        with pytest.raises(sl.ModelFileError, match=rf"{path}.*No space left"):
            fitted()[0].save(path)
    assert [p.name for p in tmp_path.iterdir()] == (["model.safetensors"] if old else [])
    assert not old or path.read_bytes() == b"old"
    assert count == 0


@pytest.mark.parametrize("failing_call", range(6))
def test_a_write_that_fails_part_way(tmp_path, monkeypatch, failing_call):
    """Writes that take a few bytes each; the k-th fails."""
    path = tmp_path / "m"
    path.write_bytes(b"old")
    content, calls, real = bytes(range(256)) * 2, 0, os.write

    def slow(handle, view):
        nonlocal calls
        calls += 1
        if calls == failing_call + 1:
            raise OSError(5, "Input/output error")
        return real(handle, bytes(view[:100]))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", slow)
        with pytest.raises(sl.ModelFileError, match="Input/output error"):
            write_whole(path, content)
    assert path.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1
    with monkeypatch.context() as patch:
        calls = 100
        patch.setattr(os, "write", slow)
        write_whole(path, content)
    assert path.read_bytes() == content


def test_ctrl_c_while_saving(tmp_path, monkeypatch):
    path = tmp_path / "m"
    path.write_bytes(b"old")

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fitted()[0].save(path)
    assert path.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


def test_places_that_are_no_files(tmp_path):
    result, _ = fitted()
    os.mkfifo(tmp_path / "fifo")
    for place, match in [("", "not a file"), ("fifo", "not a file"), ("no/m", "No such file")]:
        with pytest.raises(sl.ModelFileError, match=match):
            result.save(tmp_path / place)
    (tmp_path / "real").write_bytes(b"old")
    os.chmod(tmp_path / "real", 0o640)
    (tmp_path / "link").symlink_to("real")
    result.save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and sl.load(tmp_path / "real").rows == result.rows
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o640


def test_full_disk(tmp_path):
    """On a real, small, full file system, where one may be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        done = None
    if done is None or done.returncode:
        pytest.skip("this machine lets no file system be mounted; faults are injected above")
    try:
        result, _ = fitted()
        result.save(folder / "m")
        old = (folder / "m").read_bytes()
        big = replace(result, extra={"text": "x" * 100_000})
        with pytest.raises(sl.ModelFileError, match="No space left"):
            big.save(folder / "m")
        assert (folder / "m").read_bytes() == old and len(list(folder.iterdir())) == 1
    finally:
        subprocess.run(["umount", str(folder)], capture_output=True, timeout=10, check=True)


def test_kill_while_saving(tmp_path):
    """Two models saved in turns until the process is killed: the file is always one of them, whole."""
    path = tmp_path / "m"
    code = f"""
import sys, warnings, torch
from dataclasses import replace
import sightline as sl
X = torch.randn(20, 2, dtype=torch.float64)
result = sl.fit(X, X[:, 0] * 2 + 1, loss="squared")
models = [replace(result, extra={{"k": k, "text": str(k) * 300_000}}) for k in (1, 2)]
models[0].save({str(path)!r})
print("ready", flush=True)
while True:
    for model in models:
        model.save({str(path)!r})
"""
    rng = np.random.default_rng(0)
    for _ in range(3):
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert child.stdout.readline() == b"ready\n"
        time.sleep(float(rng.uniform(0, 0.2)))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        extra = sl.load(path).extra
        assert extra["text"] == str(extra["k"]) * 300_000


# ------------------------------------------------------------------------------------------------------ prediction


def test_predictions_by_loss():
    result, X = fitted()
    z = result.scores(X)
    assert result.predict(X).tolist() == ["yes" if s > 0 else "no" for s in z]
    p = result.predict_proba(X)
    assert p.shape == (60, 2) and torch.allclose(p[:, 1], torch.sigmoid(z)) and p.dtype == torch.float64
    result, X = fitted("softmax")
    assert result.scores(X).shape == (60, 3)
    assert np.array_equal(result.predict(X), result.predict_proba(X).argmax(1).numpy())
    result, X = fitted("poisson")
    assert torch.allclose(result.predict(X, offset=np.ones(60)), torch.exp(result.scores(X) + 1))
    with pytest.raises(ValueError, match="does not give probabilities"):
        result.predict_proba(X)
    with pytest.raises(sl.DataError, match="offset"):
        result.predict(X, offset=np.ones(3))


def test_frames_are_matched_by_name():
    import pandas as pd
    import polars as pl
    import scipy.sparse

    result, X = fitted()
    want = result.scores(X)
    shuffled = pd.DataFrame({"ü ☃": X[:, 2], "other": ["text"] * 60, "b": X[:, 1], "a": X[:, 0]})
    assert torch.equal(result.scores(shuffled), want)
    assert torch.allclose(result.scores(pl.from_pandas(shuffled)), want)
    assert torch.allclose(result.scores(scipy.sparse.csr_array(X)), want)
    assert torch.equal(result.scores(torch.from_numpy(X)), want)
    with pytest.raises(sl.DataError, match=r"no column 'b'.*Did you mean 'bb'"):
        result.scores(shuffled.rename(columns={"b": "bb"}))
    with pytest.raises(sl.DataError, match="2 columns; the model has 3: 'a', 'b', 'ü ☃'"):
        result.predict(X[:, :2])
    X[4, 1] = np.nan
    with pytest.raises(sl.DataError, match="NaN: column 'b', row 4"):
        result.predict(X)
