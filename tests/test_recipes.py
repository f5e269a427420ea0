"""A recipe's weights are those of the loop by hand, bit for bit; its trace; starts, schedules, interruption."""

import math
import signal

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

import sightline as sl


class SignedDescent(torch.optim.Optimizer):
    """An optimizer of one's own, with state and weight decay."""

    def __init__(self, params, lr=0.01, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                gradient = p.grad + group["weight_decay"] * p
                state["mean"] = 0.9 * state.get("mean", torch.zeros_like(p)) + 0.1 * gradient
                p.sub_(group["lr"] * state["mean"].sign() * state["mean"].abs().sqrt())


OPTIMIZERS = {
    "sgd": ("sgd", torch.optim.SGD, {"lr": 0.1}),
    "momentum": ("sgd", torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}),
    "nesterov": ("SGD", torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    "adam": ("adam", torch.optim.Adam, {"lr": 0.01, "weight_decay": 0.01}),
    "adamw": ("adamw", torch.optim.AdamW, {"lr": 0.01}),
    "rmsprop": ("rmsprop", torch.optim.RMSprop, {"lr": 0.01}),
    "adagrad": ("adagrad", torch.optim.Adagrad, {"lr": 0.1}),
    "lbfgs": ("lbfgs", torch.optim.LBFGS, {"lr": 0.1, "max_iter": 2, "history_size": 4}),
    "own": (SignedDescent, SignedDescent, {"lr": 0.01, "weight_decay": 0.01}),
}


def problem(dtype=torch.float32, n=100, p=7):
    torch.manual_seed(1)
    X = torch.randn(n, p, dtype=dtype)
    y = (X[:, :1] + 0.5 * torch.randn(n, 1, dtype=dtype) > 0).to(dtype)
    torch.manual_seed(2)
    return X, y, nn.Linear(p, 1, dtype=dtype)


def copy_of(module):
    other = nn.Linear(module.in_features, module.out_features, dtype=module.weight.dtype)
    other.load_state_dict(module.state_dict())
    return other


def by_hand(module, batches, optimizer, epochs, loss_function):
    """The loop as people write it; the weights after each step."""
    seen = []
    for _ in range(epochs):
        for X, y in batches():
            if isinstance(optimizer, torch.optim.LBFGS):

                def closure(X=X, y=y):
                    optimizer.zero_grad()
                    loss = loss_function(module(X), y)
                    loss.backward()
                    return loss

                optimizer.step(closure)
            else:
                optimizer.zero_grad()
                loss = loss_function(module(X), y)
                loss.backward()
                optimizer.step()
            seen.append([p.detach().clone() for p in module.parameters()])
    return seen


def assert_same_steps(training, seen):
    assert training.n_iter == len(seen)
    assert training.trace.step == list(range(len(seen) + 1))
    for state, by_hand_state in zip(training.trace.states[1:], seen):
        assert all(torch.equal(a, b) for a, b in zip(state, by_hand_state))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("batch_size", [1, 33, None], ids=["1", "33", "full"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_thousand_steps_equal_the_loop_by_hand(name, batch_size, dtype):
    X, y, module = problem(dtype)
    other = copy_of(module)
    given, kind, arguments = OPTIMIZERS[name]
    size = batch_size or len(X)
    epochs = 1000 // math.ceil(len(X) / size)
    loss = nn.BCEWithLogitsLoss()
    recipe = sl.Recipe(given, batch_size=batch_size, epochs=epochs, **arguments)
    training = sl.train(module, (X, y), loss, recipe, record="all", certify=False)
    slices = lambda: ((X[i : i + size], y[i : i + size]) for i in range(0, len(X), size))
    seen = by_hand(other, slices, kind(other.parameters(), **arguments), epochs, loss)
    assert len(seen) >= 1000
    assert_same_steps(training, seen)
    assert all(p is q for p, q in zip(training.module.parameters(), module.parameters()))


@pytest.mark.parametrize("batch_size", [1, 33, 100])
def test_shuffling_with_a_seed_is_a_loader_with_a_seeded_generator(batch_size):
    X, y, module = problem()
    other = copy_of(module)
    recipe = sl.Recipe("sgd", lr=0.1, momentum=0.9, batch_size=batch_size, epochs=5, shuffle=True, seed=3)
    training = sl.train(module, (X, y), F.binary_cross_entropy_with_logits, recipe, record="all", certify=False)
    loader = DataLoader(
        TensorDataset(X, y), batch_size=batch_size, shuffle=True, generator=torch.Generator().manual_seed(3)
    )
    optimizer = torch.optim.SGD(other.parameters(), lr=0.1, momentum=0.9)
    seen = by_hand(other, lambda: loader, optimizer, 5, F.binary_cross_entropy_with_logits)
    assert_same_steps(training, seen)


class Rows(Dataset):
    def __init__(self, X, y):
        self.X, self.y = X, y

    def __len__(self):
        return len(self.X)

    def __getitem__(self, i):
        return self.X[i], self.y[i]


@pytest.mark.parametrize("kind", ["dataset", "loader"])
def test_a_dataset_or_loader_equals_the_loop_over_a_loader(kind):
    X, y, module = problem()
    other, loss = copy_of(module), nn.BCEWithLogitsLoss()
    torch.manual_seed(7)
    if kind == "dataset":
        recipe, data = sl.Recipe("adam", lr=0.01, batch_size=33, epochs=4, shuffle=True), Rows(X, y)
    else:
        recipe = sl.Recipe("adam", lr=0.01, epochs=4)
        data = DataLoader(Rows(X, y), batch_size=33, shuffle=True, drop_last=True)
    training = sl.train(module, data, loss, recipe, record="all")
    torch.manual_seed(7)
    loader = DataLoader(TensorDataset(X, y), batch_size=33, shuffle=True, drop_last=kind == "loader")
    seen = by_hand(other, lambda: loader, torch.optim.Adam(other.parameters(), lr=0.01), 4, loss)
    assert_same_steps(training, seen)
    assert training.certificate is not None
    assert torch.equal(training.X, X)


@pytest.mark.parametrize("name, written", [("vanilla", "p -= lr * grad"), ("sgd", "p.sub_(grad, alpha=lr)")])
def test_the_loop_without_an_optimizer_is_a_recipe(name, written):
    X, y, module = problem(torch.float64)
    other, loss = copy_of(module), nn.MSELoss()
    training = sl.train(module, (X, y), loss, sl.Recipe(name, lr=0.05, epochs=300), record="all", certify=False)
    seen = []
    for _ in range(300):
        loss(other(X), y).backward()
        with torch.no_grad():
            for p in other.parameters():
                if name == "vanilla":
                    p -= 0.05 * p.grad
                else:
                    p.sub_(p.grad, alpha=0.05)
                p.grad = None
        seen.append([p.detach().clone() for p in other.parameters()])
    assert_same_steps(training, seen)


def test_vanilla_and_sgd_differ_by_no_more_than_rounding():
    """PyTorch's SGD rounds product and sum at once where the processor can, ``params -= lr * grad`` rounds twice."""
    X, y, module = problem(torch.float64)
    other, loss = copy_of(module), nn.BCEWithLogitsLoss()
    for one, name in ((module, "vanilla"), (other, "sgd")):
        recipe = sl.Recipe(name, lr=0.5, weight_decay=0.01, batch_size=10, epochs=100)
        sl.train(one, (X, y), loss, recipe, certify=False)
    assert torch.allclose(module.weight, other.weight, rtol=1e-12, atol=1e-13)


def test_recording_disturbs_neither_random_numbers_nor_mode_nor_gradients():
    X, y, _ = problem()

    def module():
        torch.manual_seed(5)
        made = nn.Sequential(nn.Linear(7, 6), nn.BatchNorm1d(6), nn.Dropout(0.3), nn.ReLU(), nn.Linear(6, 1))
        made[2].eval()
        return made

    ours, other, loss = module(), module(), nn.BCEWithLogitsLoss()
    made = torch.optim.SGD(other.parameters(), lr=0.1)
    torch.manual_seed(6)
    training = sl.train(ours, (X, y), loss, sl.Recipe("sgd", lr=0.1, batch_size=25, epochs=10), record="all")
    assert training.trace.value[0] > 0
    after = torch.rand(3)
    torch.manual_seed(6)
    slices = lambda: zip(X.split(25), y.split(25))
    by_hand(other, slices, made, 10, loss)
    assert torch.equal(after, torch.rand(3))
    assert all(torch.equal(a, b) for a, b in zip(ours.state_dict().values(), other.state_dict().values()))
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(ours.parameters(), other.parameters()))
    assert [m.training for m in ours.modules()] == [m.training for m in other.modules()]
    assert training.certificate is None
    assert "not linear" in training.sentence
    assert training.weights is None


@pytest.mark.parametrize("decay", ["all", "weights", "groups"])
def test_weight_decay_covers_what_it_is_said_to(decay):
    X, y, module = problem()
    other, loss = copy_of(module), nn.MSELoss()
    w, b = other.weight, other.bias
    optimizer, recipe = {
        "all": (torch.optim.SGD([w, b], lr=0.1, weight_decay=0.2), sl.Recipe(lr=0.1, weight_decay=0.2, epochs=50)),
        "weights": (
            torch.optim.SGD([{"params": [w], "weight_decay": 0.2}, {"params": [b]}], lr=0.1),
            sl.Recipe(lr=0.1, weight_decay=0.2, decay="weights", epochs=50),
        ),
        "groups": (
            torch.optim.SGD([{"params": [w], "weight_decay": 0.2}, {"params": [b], "weight_decay": 0.5}], lr=0.1),
            sl.Recipe(lr=0.1, weight_decay={"weight": 0.2, "bias": 0.5}, epochs=50),
        ),
    }[decay]
    training = sl.train(module, (X, y), loss, recipe)
    assert_same_steps(training, by_hand(other, lambda: [(X, y)], optimizer, 50, loss))
    strengths = training.objective.penalty.l2, training.objective.bias_strength
    assert strengths == pytest.approx({"all": (0.1, 0.1), "weights": (0.1, 0.0), "groups": (0.1, 0.25)}[decay])


SCHEDULES = {
    "by name": (
        ("StepLR", {"step_size": 7, "gamma": 0.5}), "epoch", lambda o: torch.optim.lr_scheduler.StepLR(o, 7, 0.5)
    ),
    "by class": (
        (torch.optim.lr_scheduler.CosineAnnealingLR, {"T_max": 60}), "step",
        lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 60),
    ),
    "by function": (
        lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda k: 1 / (1 + k)), "step",
        lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda k: 1 / (1 + k)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_step_as_in_the_loop_by_hand(name):
    X, y, module = problem()
    other, loss = copy_of(module), nn.BCEWithLogitsLoss()
    schedule, pace, make = SCHEDULES[name]
    recipe = sl.Recipe("sgd", lr=0.5, batch_size=40, epochs=20, schedule=schedule, schedule_per=pace)
    training = sl.train(module, (X, y), loss, recipe, certify=False)
    optimizer = torch.optim.SGD(other.parameters(), lr=0.5)
    scheduler = make(optimizer)
    rates = []
    for _ in range(20):
        for xb, yb in zip(X.split(40), y.split(40)):
            rates.append(optimizer.param_groups[0]["lr"])
            by_hand(other, lambda xb=xb, yb=yb: [(xb, yb)], optimizer, 1, loss)
            if pace == "step":
                scheduler.step()
        if pace == "epoch":
            scheduler.step()
    assert training.trace.learning_rate[1:] == rates
    assert torch.equal(module.weight, other.weight)


def test_a_schedule_that_watches_the_loss_is_given_it():
    X, y, module = problem()
    recipe = sl.Recipe("sgd", lr=20.0, epochs=60, schedule=("ReduceLROnPlateau", {"patience": 1}))
    training = sl.train(module, (X, y), nn.BCEWithLogitsLoss(), recipe, certify=False)
    assert training.trace.learning_rate[-1] < 20.0


def test_starts():
    X, y, module = problem()
    loss, one = nn.MSELoss(), {"lr": 0.1, "epochs": 1}
    given = {k: v.clone() for k, v in module.state_dict().items()}

    def start(**how):
        return sl.train(module, (X, y), loss, sl.Recipe(**one, **how), certify=False).trace.states[0]

    assert torch.equal(start()[0], given["weight"])
    assert not start(start="zeros")[0].any()
    assert torch.equal(start(start=given)[0], given["weight"])
    before = torch.get_rng_state()
    drawn = start(start="torch", seed=4)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(4)
    assert torch.equal(drawn[0], nn.Linear(7, 1).weight)


def test_arrays_and_frames_become_what_module_and_loss_take():
    import pandas as pd

    X, y, module = problem()
    other = copy_of(module)
    recipe = sl.Recipe("sgd", lr=0.1, batch_size=33, epochs=3)
    sl.train(module, (X, y), nn.BCEWithLogitsLoss(), recipe)
    frame = pd.DataFrame(X.numpy().astype("float64"), columns=list("abcdefg"))
    training = sl.train(other, (frame, y[:, 0].int().tolist()), nn.BCEWithLogitsLoss(), recipe)
    assert torch.equal(module.weight, other.weight)
    assert training.columns == tuple("abcdefg")
    labels = (X[:, 0] > 0).long() + (X[:, 1] > 0)
    training = sl.train(nn.Linear(7, 3), (frame, pd.Series(labels.numpy())), nn.CrossEntropyLoss(), recipe)
    assert training.classes == (0, 1, 2)
    assert training.y.dtype == torch.int64


# ------------------------------------------------------------------------------------------------------------ trace


def test_the_trace_holds_what_happened():
    X, y, module = problem(torch.float64)
    losses, rates = [], []
    recipe = sl.Recipe("sgd", lr=0.3, batch_size=33, epochs=30)
    training = sl.train(
        module, (X, y), nn.MSELoss(), recipe, callback=lambda m: losses.append(m.loss) or rates.append(m.step)
    )
    trace = training.trace
    assert len(trace) == 121
    assert len(list(trace)) == 121
    assert trace.batch_loss[1:] == losses
    assert rates == trace.step[1:]
    assert trace.epoch[0] == 0
    assert trace.epoch[-1] == 30
    assert trace.epoch[1] == 0.25
    assert trace.seconds == sorted(trace.seconds)
    step, weights = trace.weights[5]
    W, b = trace.states[5]
    assert step == 5
    assert torch.equal(weights.coef, W[0])
    assert torch.equal(weights.intercept, b[0])
    # Value and gradient as autograd has them, in the objective's units: half the mean squared error.
    w = torch.cat([W[0], b]).requires_grad_()
    parts = zip(X.split(33), y[:, 0].split(33))  # each batch counts alike, the short one too
    half = 0.5 * torch.stack([F.mse_loss(a @ w[:-1] + w[-1], b) for a, b in parts]).mean()
    half.backward()
    assert trace.value[5] == pytest.approx(half.item(), rel=1e-12)
    assert trace.loss[5] == pytest.approx(2 * half.item(), rel=1e-12)
    assert trace.gradient_norm[5] == pytest.approx(float(w.grad.norm()), rel=1e-12)
    assert trace.gap[5] == pytest.approx(trace.value[5] - training.optimum.certificate.value, rel=1e-6)
    assert trace.value[5] == training.objective.value(weights)


def test_a_large_trace_is_thinned_by_the_rule_it_states():
    X, y, module = problem()
    recipe = sl.Recipe("sgd", lr=0.01, batch_size=1, epochs=30)
    training = sl.train(module, (X, y), nn.MSELoss(), recipe, certify=False)
    trace = training.trace
    assert training.n_iter == 3000
    assert trace.rule == "steps whose number has at most 10 significant bits"
    assert trace.step[:1025] == list(range(1025))
    assert trace.step[1025:1027] == [1026, 1028]
    assert trace.step[-1] == 3000
    assert len(trace) <= 2002


@pytest.mark.parametrize(
    "record, steps",
    [("ends", [0, 8]), ("epochs", [0, 4, 8]), (3, [0, 3, 6, 8]), (lambda i: i == 5, [0, 5, 8]), ("all", [*range(9)])],
)
def test_what_to_record_can_be_said(record, steps):
    X, y, module = problem()
    recipe = sl.Recipe("sgd", lr=0.01, batch_size=25, epochs=2)
    assert sl.train(module, (X, y), nn.MSELoss(), recipe, record=record, certify=False).trace.step == steps


def test_a_training_is_saved_and_loaded_with_its_trace(tmp_path):
    X, y, module = problem()
    settings = {"lr": 0.1, "momentum": 0.9, "weight_decay": {"weight": 0.1}, "batch_size": 33, "epochs": 20}
    recipe = sl.Recipe(torch.optim.SGD, **settings)
    training = sl.train(module, (X, y), nn.BCEWithLogitsLoss(), recipe)
    training.save(tmp_path / "t.st")
    loaded = sl.load(tmp_path / "t.st")
    assert isinstance(loaded, sl.Training)
    assert torch.equal(loaded.weight, training.weight)
    assert loaded.certificate == training.certificate
    assert loaded.sentence == training.sentence
    assert loaded.recipe == sl.Recipe("SGD", **settings)
    for name in ("step", "epoch", "learning_rate", "seconds", "value", "loss", "gradient_norm", "gap"):
        assert getattr(loaded.trace, name) == getattr(training.trace, name)
    assert loaded.trace.batch_loss[1:] == training.trace.batch_loss[1:]
    for (step, a), (other, b) in zip(loaded.trace.weights, training.trace.weights, strict=True):
        assert step == other
        assert torch.equal(a.coef, b.coef)
        assert torch.equal(a.intercept, b.intercept)
    assert loaded.optimum.certificate == training.optimum.certificate
    assert torch.equal(loaded.optimum.weight, training.optimum.weight)
    assert torch.equal(loaded.predict_proba(X), training.predict_proba(X))
    assert "weight decay" in str(loaded)


def test_a_module_that_is_not_linear_is_saved_with_the_weights_of_its_trace(tmp_path):
    X, y, _ = problem()
    module = nn.Sequential(nn.Linear(7, 4), nn.Tanh(), nn.Linear(4, 1))
    training = sl.train(module, (X, y), nn.MSELoss(), sl.Recipe("adam", lr=0.01, epochs=5))
    training.save(tmp_path / "t.st")
    loaded = sl.load(tmp_path / "t.st")
    assert loaded.certificate is None
    assert torch.equal(loaded.trace.weights[-1][1]["2.weight"], module[2].weight)
    assert loaded.trace.loss == training.trace.loss
    module.eval()
    assert training.trace.loss[-1] == F.mse_loss(module(X), y).item()


def test_what_a_result_offers_a_training_offers_or_says_why_not(tmp_path):
    X, y, module = problem()
    loss = nn.BCEWithLogitsLoss()
    training = sl.train(module, (X, y), loss, sl.Recipe(lr=0.5, weight_decay=0.1, epochs=30))
    assert training.report(tmp_path / "report.html").exists()
    assert torch.equal(training.to_module().weight, module.weight)
    with pytest.raises(ValueError, match="covers the bias"):
        training.certify(X, y[:, 0])
    assert training.certify(X, y[:, 0], penalty="none").value == pytest.approx(training.trace.loss[-1])
    net = nn.Sequential(nn.Linear(7, 3), nn.ReLU(), nn.Linear(3, 1))
    bent = sl.train(net, (X, y), loss, sl.Recipe(lr=0.5, epochs=3))
    assert bent.to_module() is net
    assert bent.predict(X).shape == (100, 1)
    for call in (lambda: bent.report(tmp_path / "r.html"), lambda: bent.predict_proba(X), lambda: bent.certify(X, y)):
        with pytest.raises(ValueError, match="not linear"):
            call()


# ---------------------------------------------------------------------------------------------------- interruption


def test_ctrl_c_in_the_middle_of_a_step_gives_the_weights_before_it():
    X, y, module = problem()
    other, calls = copy_of(module), []

    class Interrupted(torch.optim.SGD):
        def step(self, closure=None):
            super().step()
            calls.append(1)
            if len(calls) == 8:
                signal.raise_signal(signal.SIGINT)

    training = sl.train(module, (X, y), nn.BCEWithLogitsLoss(), sl.Recipe(Interrupted, lr=0.1, epochs=100))
    seen = by_hand(other, lambda: [(X, y)], torch.optim.SGD(other.parameters(), lr=0.1), 7, nn.BCEWithLogitsLoss())
    assert_same_steps(training, seen)
    assert training.stopped == "interrupted"
    assert training.certificate.verdict is sl.Verdict.INTERRUPTED
    assert torch.equal(module.weight, seen[-1][0])
    assert training.sentence.startswith("Stopped after 7 steps (interrupted).")


def test_time_limit_and_callback_end_a_training_early():
    X, y, module = problem()
    recipe = sl.Recipe("sgd", lr=0.01, epochs=10**9)
    training = sl.train(module, (X, y), nn.BCEWithLogitsLoss(), recipe, time_limit=0.05, record=1000)
    assert training.certificate.verdict is sl.Verdict.INTERRUPTED
    assert training.stopped == "time_limit=0.05 s"
    assert training.n_iter > 0
    training = sl.train(module, (X, y), nn.BCEWithLogitsLoss(), recipe, callback=lambda m: m.step == 3, record=1)
    assert training.n_iter == 3
    assert training.stopped == "stopped by the callback"


@pytest.mark.parametrize("where", ["loss", "gradient", "last", "data"])
def test_nan_in_the_middle_keeps_the_last_finite_weights_and_says_the_step(where):
    X, y, module = problem(torch.float64)
    calls = []

    def loss(z, t):
        calls.append(1)
        value = F.mse_loss(z, t)
        if where == "loss" and len(calls) == 6:
            return value * math.nan
        if (where == "gradient" and len(calls) == 5) or (where == "last" and len(calls) == 10):
            return value + torch.sqrt((z - z.detach()).square().sum())  # 0, whose derivative is not a number
        return value

    if where == "data":
        X = X.clone()
        loader = DataLoader(TensorDataset(torch.cat([X[:50], X[50:] * math.nan]), y), batch_size=10)
        data, recipe = loader, sl.Recipe("sgd", lr=0.01, epochs=2)
    else:
        data, recipe = (X, y), sl.Recipe("sgd", lr=0.01, batch_size=10, epochs=1)
    with pytest.warns(sl.ConvergenceWarning, match="diverged in step"):
        training = sl.train(module, data, loss, recipe)
    step = {"loss": 6, "gradient": 5, "last": 10, "data": 6}[where]
    assert training.stopped == f"diverged in step {step}"
    assert training.n_iter == step - 1 == training.trace.step[-1]
    assert bool(torch.isfinite(module.weight).all())
    assert torch.equal(training.trace.states[-1][0], module.weight)
    assert ("X of its batch (batch 6 of epoch 1) holds NaN" in training.sentence) == (where == "data")


def test_a_learning_rate_that_is_too_large_ends_finite_and_far_from_the_optimum():
    X, y, module = problem()
    with pytest.warns(sl.ConvergenceWarning, match="learning rate"):
        training = sl.train(module, (X, y), nn.MSELoss(), sl.Recipe("sgd", lr=100.0, epochs=1000))
    assert bool(torch.isfinite(module.weight).all())
    assert training.certificate.verdict is sl.Verdict.INACCURATE
    assert training.certificate.gap > 1e20
