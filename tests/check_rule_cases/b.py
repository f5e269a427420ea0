"""Rules on the loss: (rule, faulty script, healthy script that looks alike, part of the message)."""

from __future__ import annotations

HEAD = """
import torch
import torch.nn.functional as F
from torch import nn
torch.manual_seed(0)
X = torch.randn(60, 2)
score = X @ torch.tensor([1.5, -1.0]) + 0.3
real = score + 0.1 * torch.randn(60)
y = (score + torch.randn(60) > 0).float()
kinds = torch.distributions.Categorical(logits=X @ torch.randn(2, 3)).sample()
counts = torch.poisson(torch.exp(0.5 * score + 0.5))
"""
TRAIN = """
opt = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(60):
    loss = loss_of(model(X))
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
BY_HAND = """
w = torch.zeros(2, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
for step in range(60):
    loss = loss_of(X @ w + b)
    loss.backward()
    with torch.no_grad():
        for p in (w, b):
            p -= 0.1 * p.grad
            p.grad.zero_()
"""
ONE, THREE = "model = nn.Linear(2, 1)\n", "model = nn.Linear(2, 3)\n"


def _trained(loss: str, model: str = ONE) -> str:
    """A script that trains a model with a loss of its output ``o``."""
    return HEAD + model + f"def loss_of(o):\n    return {loss}\n" + TRAIN


def _by_hand(loss: str) -> str:
    """The same with raw tensors and updates by hand; ``o`` is (n,)."""
    return HEAD + f"def loss_of(o):\n    return {loss}\n" + BY_HAND


def _few(loss: str) -> str:
    """The same with labels ``few`` of which few are 1."""
    return _by_hand(loss).replace("def", "few = (score + torch.randn(60) > 1.8).float()\ndef")


def _then(last: str, model: str = "nn.Linear(2, 1)") -> str:
    return f"model = nn.Sequential({model}, {last})\n"


BCE = "-(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()"

TABLE: list[tuple[str, str, str, str]] = [
    ("target-shape-broadcast", _trained("((o - real) ** 2).mean()"), _trained("((o[:, 0] - real) ** 2).mean()"),
     "60, 60"),
    ("target-shape-broadcast", _trained("F.l1_loss(o, real)"), _trained("F.cross_entropy(o, kinds)", THREE), "(60, 1)"),
    ("target-shape-broadcast", _by_hand("torch.relu(1 - (2 * y - 1)[:, None] * o).mean()"),
     _by_hand("(torch.tensor([0.5]) * (o - real) ** 2).mean()"), "(60,)"),
    ("target-shape-broadcast", _trained("(torch.ones(60) * F.mse_loss(o, real[:, None], reduction='none')).mean()"),
     _trained("F.nll_loss(F.log_softmax(o, 1), kinds, weight=torch.tensor([1.0, 1.0, 2.0]))", THREE), "each output"),
    ("target-shape-broadcast", _trained("(F.softplus(o) - y * o).mean()"),
     _trained("F.multi_margin_loss(o, kinds)", THREE), "broadcast"),
    ("softmax-before-cross-entropy", _trained("F.cross_entropy(torch.softmax(o, 1), kinds)", THREE),
     _trained("F.cross_entropy(torch.log_softmax(o, 1), kinds)", THREE), "0.551"),
    ("softmax-before-cross-entropy", _trained("F.cross_entropy(o, kinds)", _then("nn.Softmax(dim=1)",
     "nn.Linear(2, 3)")),
     _trained("F.cross_entropy(o, kinds)", THREE) + "print(torch.softmax(model(X), 1).argmax(1))\n", "probabilities"),
    ("softmax-before-cross-entropy",
     _trained("-(F.one_hot(kinds, 3) * torch.log_softmax(o.exp() / o.exp().sum(1)[:, None], 1)).sum(1).mean()", THREE),
     _trained("-(F.one_hot(kinds, 3) * torch.log(o.exp() / o.exp().sum(1, keepdim=True))).sum(1).mean()", THREE),
     "once more"),
    ("sigmoid-before-bce-with-logits", _trained("F.binary_cross_entropy_with_logits(o[:, 0], y)",
     _then("nn.Sigmoid()")),
     _trained("F.binary_cross_entropy(o[:, 0], y)", _then("nn.Sigmoid()")), "0.693"),
    ("sigmoid-before-bce-with-logits", _by_hand("(lambda p: (F.softplus(p) - y * p).mean())(torch.sigmoid(o))"),
     _by_hand("(F.softplus(o) - y * o).mean()"), "its own"),
    ("sigmoid-before-bce-with-logits", _by_hand("F.binary_cross_entropy_with_logits(1 / (1 + torch.exp(-o)), y)"),
     _by_hand("F.binary_cross_entropy_with_logits(0.5 * o, y)"), "[0, 1]"),
    ("nll-without-log-softmax", _trained("F.nll_loss(o, kinds)", THREE),
     _trained("F.nll_loss(F.log_softmax(o, 1), kinds)", THREE),
     "instead of 1"),
    ("nll-without-log-softmax", _trained("F.nll_loss(torch.softmax(o, 1), kinds)", THREE),
     _trained("F.nll_loss(torch.log(torch.softmax(o, 1)), kinds)", THREE), "probabilities"),
    ("nll-without-log-softmax", _trained("-o[torch.arange(60), kinds].mean()", THREE),
     _trained("(torch.logsumexp(o, 1) - o[torch.arange(60), kinds]).mean()", THREE), "exp(value)"),
    ("log-probs-into-bce", _trained("F.binary_cross_entropy_with_logits(o[:, 0], y)", _then("nn.LogSigmoid()")),
     _trained("F.binary_cross_entropy(o.exp()[:, 0], y)", _then("nn.LogSigmoid()")), "above 0"),
    ("log-probs-into-bce", _trained("F.binary_cross_entropy(F.log_softmax(o, 1), F.one_hot(kinds, 3).float())", THREE),
     _trained("F.kl_div(F.log_softmax(o, 1), F.one_hot(kinds, 3).float(), reduction='batchmean')", THREE),
     "logarithms"),
    ("log-probs-into-bce", _trained("F.binary_cross_entropy(F.logsigmoid(o).squeeze(1), y)"),
     _trained("-(y * F.logsigmoid(o[:, 0]) + (1 - y) * F.logsigmoid(-o[:, 0])).mean()"), "logarithms"),
    ("bce-on-raw-logits", _trained("F.binary_cross_entropy(o[:, 0], y)"),
     _trained("F.binary_cross_entropy(torch.sigmoid(o[:, 0]), y)"), "raw scores"),
    ("bce-on-raw-logits", _by_hand(BCE.replace("p)", "o)")), _by_hand(BCE.replace("p)", "o.sigmoid())")), "raw scores"),
    ("bce-on-raw-logits", _by_hand(BCE.replace("p)", "o.clamp(1e-6, 1 - 1e-6))")),
     _by_hand(BCE.replace("p)", "o.sigmoid().clamp(1e-6, 1 - 1e-6))")), "outside"),
    ("mse-on-sigmoid", _trained("F.mse_loss(o[:, 0], y)", _then("nn.Sigmoid()")), _trained("F.mse_loss(o[:, 0], y)"),
     "gradient"),
    ("mse-on-sigmoid", _by_hand("((torch.tanh(o) - (2 * y - 1)) ** 2).mean()"),
     _by_hand("((o - (2 * y - 1)) ** 2).mean()"), "tanh"),
    ("mse-on-sigmoid", _trained("F.mse_loss(o, F.one_hot(kinds, 3).float())", _then("nn.Softmax(dim=1)",
     "nn.Linear(2, 3)")),
     _trained("F.mse_loss(o, F.one_hot(kinds, 3).float())", THREE), "softmax"),
    ("loss-for-wrong-task", _trained("F.cross_entropy(o, real[:, None])"), _trained("F.mse_loss(o, real[:, None])"),
     "single column"),
    ("loss-for-wrong-task", _by_hand("torch.relu(1 - real * o).mean()"),
     _by_hand("torch.relu(1 - real.sign() * o).mean()"), "margins"),
    ("loss-for-wrong-task", _trained("F.cross_entropy(o, (X @ torch.ones(2, 3) > 0).float())", THREE),
     _trained("F.binary_cross_entropy_with_logits(o, (X @ torch.ones(2, 3) > 0).float())", THREE), "exclude"),
    ("hinge-labels-not-pm1", _by_hand("torch.clamp(1 - y * o, min=0).mean()"),
     _by_hand("torch.clamp(1 - (2 * y - 1) * o, min=0).mean()"), "0, 1"),
    ("hinge-labels-not-pm1", _trained("torch.relu(1 - (y + 1) * o[:, 0]).pow(2).mean()"),
     _trained("F.mse_loss(o[:, 0], y)"), "1, 2"),
    ("hinge-labels-not-pm1", _by_hand("F.soft_margin_loss(o, y)"), _by_hand("F.soft_margin_loss(o, 2 * y - 1)"),
     "labels"),
    ("hinge-embedding-as-hinge", _trained("F.hinge_embedding_loss(o[:, 0], 2 * y - 1)"),
     _trained("F.hinge_embedding_loss(o[:, 0].abs(), 2 * y - 1)"), "distances"),
    ("hinge-embedding-as-hinge", _by_hand("F.hinge_embedding_loss(o, 2 * y - 1) + 0.5 * (w ** 2).sum()"),
     _by_hand("torch.relu(1 - (2 * y - 1) * o).mean() + 0.5 * (w ** 2).sum()"), "distances"),
    ("hinge-embedding-as-hinge", _by_hand("F.hinge_embedding_loss(o, 2 * y - 1)"),
     _by_hand("F.soft_margin_loss(o, 2 * y - 1)"), "+1"),
    ("loss-unbounded-below", _by_hand("F.binary_cross_entropy_with_logits(o, y + 1)"),
     _by_hand("F.binary_cross_entropy_with_logits(o, 0.8 * y + 0.1)"), "1, 2"),
    ("loss-unbounded-below", _by_hand("F.poisson_nll_loss(o, counts - counts.mean())"),
     _by_hand("F.poisson_nll_loss(o, counts + 3)"), "below 0"),
    ("loss-unbounded-below", _trained("F.binary_cross_entropy_with_logits(o[:, 0], 2 * y - 1)"),
     _trained("F.soft_margin_loss(o[:, 0], 2 * y - 1)"), "-1, 1"),
    ("loss-sign-flipped", _by_hand("(y * o - F.softplus(o)).mean()"), _by_hand("(F.softplus(o) - y * o).mean()"),
     "negative"),
    ("loss-sign-flipped", _by_hand("((o - real) ** 2).mean()").replace("p -= 0.1", "p += 0.1"),
     _by_hand("-((o - real) ** 2).mean()").replace("p -= 0.1", "p += 0.1"), "gradient"),
    ("loss-sign-flipped", _trained("F.log_softmax(o, 1)[torch.arange(60), kinds].mean()", THREE),
     _trained("F.log_softmax(o, 1)[torch.arange(60), kinds].mean()", THREE).replace("lr=0.1",
     "lr=0.1, maximize=True"), "negative"),
    ("loss-targets-flipped", _trained("F.binary_cross_entropy(y[:, None], torch.sigmoid(o))").replace("60):", "1):"),
     _trained("F.mse_loss(real[:, None], o)"), "log loss"),
    ("loss-targets-flipped", _trained("F.cross_entropy(F.one_hot(kinds, 3).float(), o)", THREE),
     _trained("F.cross_entropy(o, F.one_hot(kinds, 3).float())", THREE), "cross-entropy"),
    ("loss-targets-flipped", _by_hand("F.poisson_nll_loss(counts, o)"), _by_hand("F.huber_loss(counts, o)"), "Poisson"),
    ("wrong-link", _by_hand("F.poisson_nll_loss(o.exp(), counts)"),
     _by_hand("F.poisson_nll_loss(o.exp(), counts, log_input=False)"),
     "exp"),
    ("wrong-link", _by_hand("F.poisson_nll_loss(o, counts, log_input=False)"),
     _by_hand("F.poisson_nll_loss(o, counts)"), "logarithm"),
    ("wrong-link", _trained("F.binary_cross_entropy(o[:, 0], y)", _then("nn.Tanh()")),
     _trained("F.poisson_nll_loss(F.softplus(o[:, 0]), counts, log_input=False)"), "probabilities"),
    ("dead-output-activation", _trained("F.mse_loss(o[:, 0], real - 3)", _then("nn.ReLU()")),
     _trained("F.mse_loss(o[:, 0], real - 3)"),
     "outside"),
    ("dead-output-activation", _trained("F.cross_entropy(o, kinds)", _then("nn.ReLU()", "nn.Linear(2, 3)")),
     _trained("F.cross_entropy(o, kinds)", _then("nn.LeakyReLU(0.5)", "nn.Linear(2, 3)")), "flat"),
    ("dead-output-activation", _trained("F.mse_loss(o[:, 0], real)", _then("nn.Sigmoid()")),
     _trained("F.mse_loss(o[:, 0], score + 8)", _then("nn.ReLU()").replace("\n",
     "\nnn.init.constant_(model[0].bias, 8.0)\n")), "targets"),
    ("inverted-class-weights", _trained("F.cross_entropy(o, rare, weight=torch.bincount(rare) / 60)", THREE).replace(
        "model =", "rare = torch.tensor([0] * 40 + [1] * 14 + [2] * 6)\nmodel ="),
     _trained("F.cross_entropy(o, rare, weight=60 / torch.bincount(rare))", THREE).replace(
        "model =", "rare = torch.tensor([0] * 40 + [1] * 14 + [2] * 6)\nmodel ="), "frequent"),
    ("inverted-class-weights",
     _few("F.binary_cross_entropy_with_logits(o, few, pos_weight=few.sum() / (1 - few).sum())"),
     _few("F.binary_cross_entropy_with_logits(o, few, pos_weight=(1 - few).sum() / few.sum())"), "times as much"),
    ("inverted-class-weights",
     _few("(torch.where(few > 0, few.mean(), 1 - few.mean()) * (F.softplus(o) - few * o)).mean()"),
     _few("(F.softplus(o) - few * o).mean()"), "frequent"),
]  # fmt: skip
# Healthy ones are trained to their end, so that no other rule has anything to say.
# The healthy ones run to their end.
LONGER = {"range(60)": "range(1500)", "lr=0.1)": "lr=0.3)", "p -= 0.1 *": "p -= 0.3 *"}


def to_its_end(script):
    """A script with more and larger steps."""
    for old, new in LONGER.items():
        script = script.replace(old, new)
    return script.replace("range(1500)", "range(12000)") if any(part in script for part in SLOW) else script


SLOW = ("real.sign() * o", "few.sum()")  # nearly separated: these take more


CASES = [(rule, broken, to_its_end(healthy), words) for rule, broken, healthy, words in TABLE]
