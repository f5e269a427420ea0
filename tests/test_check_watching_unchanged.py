"""Watching changes nothing: results, random numbers and output are those of a plain run, bit for bit."""

from __future__ import annotations

import contextlib
import io
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from sightline.check.checking import check_script
from sightline.check.command import Command
from sightline.check.watching.running import _run, watch_script

START = """
import random
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
torch.manual_seed(3); np.random.seed(3); random.seed(3)
X = torch.randn(40, 3)
y = X @ torch.randn(3, 1) + 0.1 * torch.randn(40, 1)
"""
END = """
for t in result:
    print([v.hex() for v in t.detach().double().flatten().tolist()])
print(hash(torch.get_rng_state().numpy().tobytes()), hash(str(np.random.get_state())), random.random())
"""
STYLES = {
    "loader, Adam, dropout": """
model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1))
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(60):
    for xb, yb in DataLoader(TensorDataset(X, y), batch_size=8, shuffle=True):
        opt.zero_grad()
        F.mse_loss(model(xb), yb).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
    if epoch % 20 == 0:
        with torch.no_grad():
            print(F.mse_loss(model(X), y).item().hex(), (model(X) > 0).sum().item())
result = list(model.parameters())
""",
    "raw tensors by hand": """
w, b = torch.randn(3, 1, requires_grad=True), torch.zeros(1, requires_grad=True)
for step in range(1000):
    i = random.randrange(40)
    loss = ((X[i] @ w + b - y[i]) ** 2).sum()
    loss.backward()
    with torch.no_grad():
        w -= 0.01 * w.grad
        b -= 0.01 * b.grad
        w.grad.zero_()
        b.grad.zero_()
result = [w, b]
""",
    "new leaves": """
w = torch.zeros(3, 1, requires_grad=True)
for step in range(200):
    g, = torch.autograd.grad(F.mse_loss(X @ w, y), w)
    w = (w - 0.1 * g).detach().requires_grad_()
result = [w]
""",
    "L-BFGS and a schedule": """
model = nn.Linear(3, 1)
opt = torch.optim.LBFGS(model.parameters(), line_search_fn="strong_wolfe", max_iter=4)
def closure():
    opt.zero_grad()
    loss = F.mse_loss(model(X), y) + 0.01 * model.weight.abs().sum()
    loss.backward()
    return loss
for step in range(4):
    opt.step(closure)
sgd = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, 50)
for step in range(400):
    i = torch.randperm(40)[:10]
    sgd.zero_grad()
    F.huber_loss(model(X[i]), y[i]).backward()
    sgd.step()
    sched.step()
result = [*model.parameters(), torch.tensor(sched.get_last_lr())]
""",
    "filled in place": """
w = torch.zeros(3, requires_grad=True)
for step in range(150):
    out = torch.zeros(5)
    for i in range(5):
        out[i] = (X[i] * w).sum()
    total = torch.zeros(())
    total += ((out - y[:5, 0]) ** 2).mean()
    total.backward()
    w.data -= 0.1 * w.grad
    w.grad = None
result = [w]
""",
}  # fmt: skip


def plain(script: Path) -> str:
    """What a script prints when this process runs it as its main script, and not watched."""
    main, out = sys.modules["__main__"], io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            _run(str(script))
    finally:
        sys.modules["__main__"] = main
    return out.getvalue()


@pytest.mark.parametrize("every", [None, 3])
@pytest.mark.parametrize("style", STYLES)
def test_results_and_random_numbers(tmp_path, style, every) -> None:
    script = tmp_path / "train.py"
    script.write_text(START + STYLES[style] + END)
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    expected, out = plain(script), io.StringIO()
    with contextlib.redirect_stdout(out):
        recording = watch_script(str(script), every=every)
    torch.set_rng_state(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    random.setstate(states[2])
    assert recording.ending == "finished", recording.error
    assert out.getvalue() == expected
    assert expected.count("0x") > 2 and recording.backwards >= 150
    skipped = sum(s.skipped for s in recording.stretches)
    # Leaves that are made anew cannot be counted, and the last style ends before its rows are known.
    assert (skipped > 0) == (every is not None and style not in ("new leaves", "filled in place")), skipped
    assert sorted(p.name for p in tmp_path.iterdir()) == ["train.py"]


SCRIPT = """
import os, sys
os.environ["OMP_NUM_THREADS"] = "1"
print(__name__, __file__, sys.argv, sys.path[0], __spec__, "torch" in sys.modules, sorted(globals()))
import pickle
import torch
from torch.utils.data import DataLoader, Dataset
class Rows(Dataset):
    def __len__(self):
        return 12
    def __getitem__(self, i):
        return torch.full((2,), float(i)), torch.tensor([3.0 * i])
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(2, 1)
    def forward(self, x):
        return self.linear(x)
def main():
    torch.manual_seed(0)
    net = pickle.loads(pickle.dumps(Net()))
    opt = torch.optim.SGD(net.parameters(), lr=0.001)
    for how in ("fork", "spawn"):
        for xb, yb in DataLoader(Rows(), batch_size=4, num_workers=1, multiprocessing_context=how, shuffle=True):
            opt.zero_grad()
            torch.nn.functional.mse_loss(net(xb), yb).backward()
            opt.step()
    print(input(), [p.tolist() for p in net.parameters()])
    print("said", file=sys.stderr)
    net(torch.ones(3, 7))
if __name__ == "__main__":
    main()
"""


def run_beside(folder: Path, words: list[str], command: Command, monkeypatch, capfd) -> tuple:
    """Output, error and code of a plain run and of a watched one, with the report."""
    monkeypatch.chdir(folder)
    feed = folder / "input.txt"
    feed.write_text("from stdin\n")
    with feed.open() as stdin:
        expected = subprocess.run([sys.executable, *words], stdin=stdin, capture_output=True, text=True, check=False)
    old = os.dup(0)
    try:
        with feed.open() as stdin:
            os.dup2(stdin.fileno(), 0)
            report = check_script(command)
    finally:
        os.dup2(old, 0)
        os.close(old)
    seen = capfd.readouterr()
    return expected, seen, report


def without_modules(text: str) -> str:
    """A traceback without the lines of nn.Module's own calling code, which takes another way where there are hooks."""
    lines = text.splitlines()
    inside = [i for i, line in enumerate(lines) if "modules/module.py" in line]
    assert inside
    dropped = {i for start in inside for i in range(start, next(k for k in range(start + 1, len(lines) + 1)
               if k == len(lines) or not lines[k].startswith("    ")))}  # fmt: skip
    return "\n".join(line for i, line in enumerate(lines) if i not in dropped)


def test_a_script_in_its_own_process(tmp_path, monkeypatch, capfd) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    command = Command(script="train.py", arguments=("--lr", "a b"), attempt=False, select=("dtype-mismatch",))
    expected, seen, report = run_beside(tmp_path, ["train.py", "--lr", "a b"], command, monkeypatch, capfd)
    assert expected.returncode == 1 and "mat1 and mat2" in expected.stderr
    assert seen.out == expected.stdout
    assert without_modules(seen.err) == without_modules(expected.stderr)
    assert "sightline" not in seen.err
    assert (report.ending, report.training["exit_code"]) == ("error", 1)
    assert report.training["backward_passes"] == 6
    assert report.error.startswith("RuntimeError: mat1 and mat2")
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "__pycache__") == ["input.txt", "train.py"]


def test_a_module_and_its_exit_code(tmp_path, monkeypatch, capfd) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "pack" / "train.py").write_text(
        "import sys, torch\nprint(__name__, __spec__.name, sys.argv[1:], sys.path[0])\n"
        "w = torch.ones(2, requires_grad=True)\nw.sum().backward()\nsys.exit('no more')\n"
    )
    command = Command(module="pack.train", arguments=("x",), attempt=False, select=("dtype-mismatch",))
    expected, seen, report = run_beside(tmp_path, ["-m", "pack.train", "x"], command, monkeypatch, capfd)
    assert (seen.out, seen.err) == (expected.stdout, expected.stderr)
    assert report.training["exit_code"] == expected.returncode == 1
    assert report.script == "-m pack.train"


ENDS = {
    "os._exit": ("import os; os._exit(4)", "ended its process itself", 4),
    "kill": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended by SIGKILL", -9),
    "crash": ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV", -11),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_script_that_ends_its_process(tmp_path, end, capfd) -> None:
    code, reason, number = ENDS[end]
    script = tmp_path / "train.py"
    script.write_text(code)
    report = check_script(Command(script=str(script)))
    assert report.verdict.startswith("could not check: ") and reason in report.verdict
    assert report.training["exit_code"] == number and report.ending == "error"


LOOP = """
import torch
w = torch.ones(2, requires_grad=True)
print("begun", flush=True)
while True:
    (w * w).sum().backward()
    w.data -= 0.01 * w.grad
    w.grad = None
"""


def test_time_limit_of_a_script_that_does_not_let_go(tmp_path, monkeypatch, capfd) -> None:
    monkeypatch.setattr("sightline.check.checking.GRACE", 0.2)
    script = tmp_path / "train.py"
    script.write_text("while True:\n    try:\n        while True: pass\n    except BaseException: pass\n")
    report = check_script(Command(script=str(script), time_limit=0.2))
    assert "ended by force" in report.verdict and report.training["exit_code"] == -9


def test_time_limit_is_reported_with_what_was_seen(tmp_path, capfd) -> None:
    script = tmp_path / "train.py"
    script.write_text(LOOP)
    report = check_script(Command(script=str(script), time_limit=3.0, attempt=False, select=("missing-zero-grad",)))
    assert report.ending == "time limit" and report.training["backward_passes"] > 0
    assert capfd.readouterr().out == "begun\n"


def test_control_c_ends_the_script_and_is_reported(tmp_path) -> None:
    script = tmp_path / "train.py"
    script.write_text(LOOP)
    code = (
        "from sightline.check.checking import check_script\nfrom sightline.check.command import Command\n"
        f"r = check_script(Command(script={str(script)!r}, attempt=False, select=('missing-zero-grad',)))\n"
        "print(r.ending, r.training['backward_passes'] > 0, r.training['exit_code'])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )  # fmt: skip
    assert process.stdout.readline() == "begun\n"
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (out, err) == ("interrupted True 130\n", "")


def test_output_aside_and_hidden(tmp_path, capfd) -> None:
    script = tmp_path / "train.py"
    script.write_text("import sys\nprint('words')\nprint('more', file=sys.stderr)")
    check_script(Command(script=str(script), script_output="stderr"))
    seen = capfd.readouterr()
    assert seen.out == "" and sorted(seen.err.split()) == ["more", "words"]
    report = check_script(Command(script=str(script), script_output="hide"))
    assert capfd.readouterr() == ("", "") and report.training["backward_passes"] == 0
