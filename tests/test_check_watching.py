"""What the watcher sees of trainings in all the ways that people write them."""

from __future__ import annotations

import contextlib
import io
import textwrap
from collections.abc import Callable

import pytest
import torch
from torch import nn

from sightline.check.watching.places import place, place_of
from sightline.check.watching.recorder import Recording, Watcher
from sightline.check.watching.running import watch_script

DATA = """
import torch
import torch.nn.functional as F
from torch import nn
torch.manual_seed(0)
X = torch.randn(24, 3)
y = X @ torch.tensor([[1.0], [-2.0], [0.5]]) + 0.3
"""
Run = Callable[..., Recording]


@pytest.fixture
def run(tmp_path, monkeypatch) -> Run:
    """Watches a script that is given as text, after the lines that make its data."""
    monkeypatch.chdir(tmp_path)

    def watched(text: str, data: str = DATA, **options: object) -> Recording:
        script = tmp_path / "train.py"
        script.write_text(data + textwrap.dedent(text))
        with contextlib.redirect_stdout(io.StringIO()):
            return watch_script(str(script), **options)

    return watched


def line_of(recording_or_path, text: str, tmp_path=None) -> int:
    lines = (tmp_path / "train.py").read_text().splitlines()
    return next(i for i, line in enumerate(lines, 1) if text in line)


def replayed(stretch) -> bool:
    """Whether the program of each close look gives its loss again at the weights of then."""
    for beat in stretch.beats:
        if beat.program is None:
            continue
        places = {id(p): i for i, p in enumerate(stretch.parameters)}
        given = {s: beat.weights[places[id(leaf)]] for s, leaf in beat.program.leaves.items()}
        if float(beat.program.run(given)[0].detach()) != beat.loss:
            return False
    return any(beat.program is not None for beat in stretch.beats)


LOSSES = {
    "nn": "nn.MSELoss()(model(X), y)",
    "functional": "F.mse_loss(model(X), y)",
    "by hand": "((model(X) - y) ** 2).mean()",
    "raw tensors": "(X @ model.weight.T + model.bias - y).pow(2).sum() / len(X)",
    "huber": "F.smooth_l1_loss(model(X), y)",
    "with penalty": "((model(X) - y) ** 2).mean() + 0.1 * model.weight.abs().sum()",
    "logistic": "nn.BCEWithLogitsLoss()(model(X), (y > 0).float())",
    "in a loop": "sum((model(X[i]) - y[i]).square().squeeze() for i in range(5)) / 5",
    "filled in": "((filled() - y[:, 0]) ** 2).mean()",
    "added up": "added()",
}
HELPERS = """
def filled():
    out = torch.zeros(len(X))
    for i in range(4):
        out[i] = model(X[i])[0]
    return out
def added():
    total = torch.zeros(())
    for i in range(3):
        total += (model(X[i]) - y[i]).square().squeeze()
    return total
"""


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_of_all_forms(run, loss) -> None:
    recording = run(f"""
model = nn.Linear(3, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.01)
{HELPERS}
for step in range(8):
    opt.zero_grad()
    loss = {LOSSES[loss]}
    loss.backward()
    opt.step()
""")
    (stretch,) = recording.stretches
    assert recording.unseen == 0
    assert stretch.names == ["model.weight", "model.bias"]
    assert stretch.module is recording.globals["model"]
    assert stretch.counts == {"step": 8, "zero_grad": 8 - 1}  # the first is before the first backward pass
    assert replayed(stretch)
    assert stretch.losses[-1] == float(recording.globals["loss"].detach())


STEPS = {
    "no_grad": (
        "with torch.no_grad():\n        w -= 0.01 * w.grad\n        w.grad.zero_()", {"update": 7, "grad zeroed": 7}
    ),
    "no_grad sub_": (
        "with torch.no_grad():\n        w.sub_(0.01 * w.grad)\n    w.grad = None", {"update": 7, "grad none": 7}
    ),
    "data": ("w.data -= 0.01 * w.grad\n    w.grad.data.zero_()", {"update": 7, "grad zeroed": 7}),
    "data sub_": ("w.data.sub_(0.01 * w.grad.data)\n    w.grad = None", {"update": 7, "grad none": 7}),
    "data =": ("w.data = w.data - 0.01 * w.grad\n    w.grad = None", {"update": 7, "grad none": 7}),
    "copy_": ("with torch.no_grad(): w.copy_(w - 0.01 * w.grad)\n    w.grad.fill_(0)", {"update": 7, "grad zeroed": 7}),
    "setitem": ("with torch.no_grad(): w[:] = w - 0.01 * w.grad\n    w.grad = None", {"update": 7, "grad none": 7}),
    "anew": ("w = (w - 0.01 * w.grad).detach().requires_grad_()", {"update": 7}),
    "anew, no_grad": ("with torch.no_grad(): w = w - 0.01 * w.grad\n    w.requires_grad_(True)", {"update": 7}),
}  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_updates_by_hand(run, step) -> None:
    code, counts = STEPS[step]
    recording = run(f"""
w = torch.zeros(3, 1, requires_grad=True)
for step in range(7):
    loss = ((X @ w - y) ** 2).mean()
    loss.backward()
    {code}
""")
    (stretch,) = recording.stretches
    assert (recording.backwards, recording.unseen, stretch.backwards) == (7, 0, 7)
    last = {} if "anew" not in step else {"update": stretch.counts["update"]}
    assert stretch.counts | last == counts | last
    assert stretch.counts["update"] in (6, 7)
    assert stretch.names == ["w"]
    assert torch.equal(stretch.weights()[0], recording.globals["w"].detach())
    assert torch.equal(stretch.path[3][1][0], stretch.beats[3].weights[0])
    own = stretch.beats[2].own_gradient()[0]
    assert torch.allclose(own, 2 / 24 * X_gradient(recording, stretch.beats[2].weights[0]))


def X_gradient(recording, w: torch.Tensor) -> torch.Tensor:
    X, y = recording.globals["X"], recording.globals["y"]
    return X.T @ (X @ w - y)


def test_torch_autograd_grad(run) -> None:
    recording = run("""
w = torch.zeros(3, 1, requires_grad=True)
for step in range(5):
    loss = ((X @ w - y) ** 2).mean()
    g, = torch.autograd.grad(loss, [w])
    w = (w - 0.05 * g).detach().requires_grad_()
""")
    (stretch,) = recording.stretches
    assert (stretch.backwards, recording.unseen, len(stretch.losses)) == (5, 0, 5)
    assert all(beat.returned for beat in stretch.beats)
    beat = stretch.beats[1]
    assert torch.allclose(beat.own_gradient()[0], 2 / 24 * X_gradient(recording, beat.weights[0]))
    assert torch.equal(stretch.weights()[0], recording.globals["w"].detach())


def test_gradients_returned_in_another_order_than_the_parameters(run) -> None:
    recording = run("""
a = torch.tensor(2.0, requires_grad=True)
b = torch.tensor(5.0, requires_grad=True)
gb, ga = torch.autograd.grad(a * a + 3 * b, [b, a])
""")
    (stretch,) = recording.stretches
    assert [float(g) for g in stretch.beats[0].after] == [4.0, 3.0]


def test_optimizers_and_their_events(run, tmp_path) -> None:
    recording = run("""
model = nn.Linear(3, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.2)
sched = torch.optim.lr_scheduler.ExponentialLR(opt, gamma=0.5)
for step in range(5):
    model.zero_grad()
    loss = F.mse_loss(model(X), y)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
    opt.step()
    sched.step()
""")
    (stretch,) = recording.stretches
    (seen,) = stretch.optimizers
    assert (seen.kind, seen.steps, seen.at[1]) == ("SGD", 5, line_of(recording, "opt =", tmp_path))
    assert place(seen.at).code == "opt = torch.optim.SGD(model.parameters(), lr=0.2)"
    for k, beat in enumerate(stretch.beats[1:]):
        assert [e.kind for e in beat.events] == ["clip", "step", "zero_grad"]
        step = beat.events[1]
        assert step.options[0]["lr"] == pytest.approx(0.2 * 0.5**k)
        assert step.changed and sum(g**2 for g in step.grads) ** 0.5 == pytest.approx(1e-3, rel=1e-3)
        assert place(beat.events[2].at).code == "model.zero_grad()"
    assert [e.kind for e in stretch.tail] == ["clip", "step"]


def test_steps_that_change_nothing(run) -> None:
    recording = run("""
model = nn.Linear(3, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.2)
for step in range(3):
    loss = F.mse_loss(model(X), y)
    loss.backward()
    opt.zero_grad(set_to_none=False)
    opt.step()
    opt.zero_grad()
    opt.step()
""")
    events = recording.stretches[0].beats[1].events
    assert [(e.kind, e.changed) for e in events] == [("zero_grad", None), ("step", False)] * 2
    assert events[1].grads == (0.0, 0.0) and events[3].grads == (None, None)


@pytest.mark.parametrize("call", ["opt.step(closure)", "opt.step(closure=closure)"])
def test_closures_of_lbfgs(run, call) -> None:
    recording = run(f"""
model = nn.Linear(3, 1)
opt = torch.optim.LBFGS(model.parameters(), max_iter=5)
calls = 0
def closure():
    global calls
    calls += 1
    opt.zero_grad()
    loss = F.mse_loss(model(X), y)
    loss.backward()
    return loss
for step in range(3):
    {call}
""")
    (stretch,) = recording.stretches
    assert stretch.backwards == recording.globals["calls"] > 3
    assert recording.unseen == 0 and replayed(stretch)
    assert stretch.counts["step"] == 3


def test_several_models(run) -> None:
    recording = run("""
def train(model, n):
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(n):
        opt.zero_grad()
        F.mse_loss(model(X), y).backward()
        opt.step()
    return model
first, second = train(nn.Linear(3, 1), 4), train(nn.Linear(3, 1), 6)
w = torch.zeros(3, 1, requires_grad=True)
for step in range(5):
    (X @ w - y).abs().mean().backward()
    w.data -= 0.1 * w.grad
    w.grad = None
""")
    assert [s.backwards for s in recording.stretches] == [4, 6, 5]
    assert [len(s.optimizers) for s in recording.stretches] == [1, 1, 0]
    assert [s.module for s in recording.stretches] == [recording.globals["first"], recording.globals["second"], None]


def test_two_optimizers_of_two_parts(run) -> None:
    recording = run("""
a, b = nn.Linear(3, 1), nn.Linear(3, 1)
one, two = torch.optim.SGD(a.parameters(), lr=0.1), torch.optim.Adam(b.parameters())
for step in range(4):
    one.zero_grad(); two.zero_grad()
    F.mse_loss(a(X) + b(X), y).backward()
    one.step(); two.step()
""")
    (stretch,) = recording.stretches
    assert [o.kind for o in stretch.optimizers] == ["SGD", "Adam"]
    assert stretch.size == 8


def test_batches_and_repeats(run) -> None:
    recording = run("""
from torch.utils.data import DataLoader, TensorDataset
model = nn.Linear(3, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.01)
for epoch in range(3):
    for xb, yb in DataLoader(TensorDataset(X, y), batch_size=8, shuffle=True):
        opt.zero_grad()
        F.mse_loss(model(xb), yb).backward()
        opt.step()
with torch.no_grad():
    right = (model(X).argmax(1) == 0).float().mean()
""")
    batches = recording.stretches[0].batches.entries
    X = recording.globals["X"]
    assert [tuple(entry[0].shape) for entry in batches] == [(8, 3)] * 9
    for epoch in range(3):
        rows = torch.cat([entry[0] for entry in batches[3 * epoch : 3 * epoch + 3]])
        assert sorted(map(tuple, rows.tolist())) == sorted(map(tuple, X.tolist()))
    calls = {call.name: call for call in recording.calls.values()}
    assert calls["argmax"].backwards == 9 and not calls["argmax"].graded
    assert place(calls["argmax"].at).code.startswith("right =")


def test_an_error_with_its_call_and_line(run, tmp_path) -> None:
    recording = run("""
model = nn.Linear(4, 1)
def train():
    loss = F.mse_loss(model(X), y)
    loss.backward()
train()
""")
    assert recording.ending == "error" and isinstance(recording.error, RuntimeError)
    (failure,) = recording.failures
    assert failure.error is recording.error and failure.name == "linear"
    assert tuple(failure.args[0].shape) == (24, 3)
    where = place_of(recording.error.__traceback__)
    assert (where.line, where.function) == (line_of(recording, "loss = F", tmp_path), "train")


def test_errors_in_backward(run) -> None:
    recording = run("""
model = nn.Linear(3, 1)
loss = F.mse_loss(model(X), y)
loss.backward()
try:
    loss.backward()
except RuntimeError:
    pass
F.mse_loss(model(X), y).backward()
model(X).backward()
""")
    assert [f.name for f in recording.failures] == ["backward", "backward"]
    assert recording.failures[1].error is recording.error
    assert recording.stretches[0].backwards == 2


def test_the_graph_carried_on(run) -> None:
    recording = run("""
model = nn.Linear(3, 1)
total = 0
for step in range(4):
    loss = F.mse_loss(model(X), y)
    total = total + loss
    loss.backward()
    model.zero_grad()
""")
    assert recording.carried == 3 and "total" in place(recording.carried_at).code
    assert sum(ref() is not None for ref in recording.losses) >= 1


def test_layers_made_in_forward(run) -> None:
    recording = run("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 2)
    def forward(self, x):
        return nn.Linear(2, 1)(self.a(x))
net = Net()
for step in range(2):
    F.mse_loss(net(X), y).backward()
""")
    assert len(recording.made_in_forward) == 2
    assert "nn.Linear(2, 1)" in place(recording.made_in_forward[0][0]).code


UNFOLLOWED = {
    "custom function": ("""
class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x
    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0]
""", "Square.apply(model(X) - y).mean()", "Square"),
    "compiled": ("compiled = torch.compile(lambda r: r * r, backend='aot_eager')", "compiled(model(X) - y).mean()", ""),
    "checkpointed": (
        "from torch.utils.checkpoint import checkpoint",
        "(checkpoint(model, X.clone().requires_grad_(), use_reentrant=True) - y).square().mean()", "CheckpointFunction",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNFOLLOWED)
@pytest.mark.filterwarnings("default")  # PyTorch's own compiler warns
def test_what_no_hook_shows_is_said(run, kind) -> None:
    made, loss, name = UNFOLLOWED[kind]
    recording = run(f"""
model = nn.Linear(3, 1)
{made}
opt = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(3):
    opt.zero_grad()
    loss = {loss}
    loss.backward()
    opt.step()
""")
    assert recording.ending == "finished" and recording.backwards == 3
    if recording.unseen:
        assert any(f"{recording.unseen} backward passes could not be followed" in note for note in recording.notes)
        assert any(name in note for note in recording.notes)
    else:
        assert kind == "compiled" and recording.stretches


def test_other_numbers_and_threads(run) -> None:
    recording = run("""
import threading
c = torch.randn(3, dtype=torch.complex64, requires_grad=True)
for step in range(3):
    (c * c.conj()).real.sum().backward()
    torch.autograd.backward((c * 1j).sum(), torch.tensor(1 + 0j))
d = torch.randn(3, dtype=torch.bfloat16, requires_grad=True)
for step in range(3):
    (d * torch.ones(3, dtype=torch.bfloat16)).sum().backward()
def other():
    model = nn.Linear(3, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(3):
        F.mse_loss(model(X), y).backward()
        opt.step()
thread = threading.Thread(target=other)
thread.start()
thread.join()
sparse = torch.eye(3).to_sparse()
s = torch.ones(3, 1, requires_grad=True)
for step in range(2):
    torch.sparse.mm(sparse, s).sum().backward()
""")
    assert recording.ending == "finished", recording.error
    assert [s.names for s in recording.stretches] == [["c"], ["d"], ["s"]]


def test_no_backward_pass(run) -> None:
    recording = run("""
w, b = torch.zeros(3, 1), torch.zeros(1)
for step in range(20):
    p = X @ w + b
    w -= 0.1 * X.T @ (p - y) / len(X)
""")
    assert recording.backwards == 0 and not recording.stretches
    assert any("no backward pass" in note for note in recording.notes)


def test_penalty_in_a_second_pass_and_two_losses_of_one_graph(run) -> None:
    recording = run("""
model = nn.Linear(3, 1)
for step in range(3):
    out = model(X)
    one, two = F.mse_loss(out, y), out.abs().mean()
    one.backward(retain_graph=True)
    two.backward()
    model.zero_grad()
""")
    assert recording.unseen == 0 and recording.backwards == 6
    assert {s.backwards for s in recording.stretches} == {6}


def test_limits_and_exits(run) -> None:
    training = """
model = nn.Linear(3, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.1)
done = 0
while done < {}:
    opt.zero_grad()
    F.mse_loss(model(X), y).backward()
    opt.step()
    done += 1
{}
"""
    stopped = run(training.format("10**9", ""), max_steps=7)
    assert stopped.ending == "step limit" and stopped.optimizers[0].steps == 7
    assert stopped.globals["done"] == 6 and stopped.stretches[0].backwards == 7
    late = run(training.format("10**9", ""), time_limit=0.3)
    assert late.ending == "time limit" and late.stretches[0].backwards > 0
    sleeper = "import time\nfor _ in range(2):\n    try:\n        time.sleep(9)\n    except: pass"
    stubborn = training.format("5", sleeper)
    assert run(stubborn, time_limit=0.5).ending == "finished"
    by_hand = run("""
w = torch.zeros(3, 1, requires_grad=True)
while True:
    (X @ w - y).square().mean().backward()
    w.data -= 0.01 * w.grad
    w.grad = None
""", max_steps=9)
    assert by_hand.ending == "step limit" and by_hand.stretches[0].counts == {"update": 9, "grad none": 9}
    assert run("import sys\nsys.exit(3)").ending == "exit"
    assert run("import sys\nsys.exit()").ending == "finished"
    assert run("raise KeyboardInterrupt").ending == "interrupted"


def test_an_error_in_a_step_does_not_blind_the_watcher(run) -> None:
    recording = run("""
model = nn.Linear(3, 1)
class Odd(torch.optim.SGD):
    def step(self, closure=None):
        if len(self.state) == 0 and not hasattr(self, "tried"):
            self.tried = True
            raise ValueError("not yet")
        return super().step(closure)
opt = Odd(model.parameters(), lr=0.1)
for step in range(4):
    F.mse_loss(model(X), y).backward()
    try:
        opt.step()
    except ValueError:
        pass
""")
    assert recording.stretches[0].backwards == 4


def test_modes_of_the_scripts_own(run) -> None:
    recording = run("""
model = nn.Linear(3, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(3):
    with torch.device("cpu"):
        opt.zero_grad()
        F.mse_loss(model(X), y).backward()
        opt.step()
torch.set_default_device("cpu")
for step in range(3):
    opt.zero_grad()
    F.mse_loss(model(X), y).backward()
    opt.step()
torch.set_default_device(None)
depth = torch._C._len_torch_function_stack()
""")
    assert recording.stretches[0].backwards == 6 and recording.stretches[0].counts["step"] == 6
    assert recording.globals["depth"] == 1
    assert torch._C._len_torch_function_stack() == 0


def test_the_watcher_leaves_nothing_behind() -> None:
    from torch.nn.modules import module
    from torch.optim import optimizer

    model = nn.Linear(2, 1)
    watcher = Watcher()
    watcher.start()
    model(torch.ones(3, 2)).sum().backward()
    watcher.stop()
    assert not module._global_forward_pre_hooks and not optimizer._global_optimizer_pre_hooks
    assert not optimizer._global_optimizer_post_hooks and torch._C._len_torch_function_stack() == 0
    model(torch.ones(3, 2)).sum().backward()
    assert watcher.recording.backwards == 1
