"""Step sizes, conditioning, order of the rows, and what a problem allows."""

LINE = """
import torch
torch.manual_seed(0)
x = torch.randn({n}, 2){change}
y = x @ torch.tensor([[2.0], [-1.0]]){more} + 3 + {noise} * torch.randn({n}, 1)
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.{optimizer}
for step in range({steps}):
    optimizer.zero_grad()
    torch.nn.functional.mse_loss(model(x), y, reduction="{reduction}").backward()
    optimizer.step()
"""


def line(optimizer, steps=200, n=60, noise=0.3, reduction="mean", change="", more=""):
    """A line of two columns, by so many steps on all rows."""
    return LINE.format(
        optimizer=optimizer, steps=steps, n=n, noise=noise, reduction=reduction, change=change, more=more
    )


HEALTHY_LINE = line("SGD(model.parameters(), lr=0.1)")

CLASSES = """
import torch
torch.manual_seed(0)
y = torch.arange(60) // 20
x = torch.randn(60, 2) + torch.tensor([[0.0, 0.0], [1.0, 0.5], [-0.5, 1.0]])[y]
{order}
model = torch.nn.Linear(2, 3)
optimizer = torch.optim.SGD(model.parameters(), lr={lr})
for epoch in range({epochs}):
    for i in range(0, 60, {size}):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x[i:i + {size}]), y[i:i + {size}]).backward()
        optimizer.step()
"""

TWO = """
import torch
torch.manual_seed(0)
y = (torch.arange(40) % 2).float()
x = {spread} * torch.randn(40, 2) + 3 * y[:, None]
w = torch.zeros(2, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
for step in range(300):
    loss = torch.nn.functional.binary_cross_entropy_with_logits(x @ w + b, y)
    loss.backward()
    with torch.no_grad():
        w -= 0.5 * w.grad
        b -= 0.5 * b.grad
    w.grad = b.grad = None
{after}
"""

ORDERED = """
import torch
torch.manual_seed(0)
x = torch.randn(400, 1)
slope = torch.cat([torch.full((200, 1), 2.0), torch.full((200, 1), -2.0)])
y = slope * x + 0.3 * torch.randn(400, 1)
w = torch.zeros(1, 1, requires_grad=True)
for epoch in range(10):
    order = {order}
    for i in range(0, 400, {size}):
        rows = order[i:i + {size}]
        loss = ((x[rows] @ w - y[rows]) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            w -= {lr} * w.grad
        w.grad = None
"""

CURVE = """
import torch
torch.manual_seed(0)
t = torch.linspace(-1, 1, 50).reshape(-1, 1)
y = {formula} + 0.05 * torch.randn(50, 1)
model = torch.nn.Linear(1, 1)
optimizer = torch.optim.LBFGS(model.parameters(), line_search_fn="strong_wolfe")


def closure():
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(model(t), y)
    loss.backward()
    return loss


for step in range(5):
    optimizer.step(closure)
"""

XOR = """
import torch
from torch import nn
torch.manual_seed(0)
x = torch.tensor([[0., 0.], [0., 1.], [1., 0.], [1., 1.]])
y = torch.tensor({labels}).reshape(-1, 1)
model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.3, weight_decay={decay})
for step in range(600):
    optimizer.zero_grad()
    nn.functional.binary_cross_entropy_with_logits(model(x), y).backward()
    optimizer.step()
"""

YEARS = """
import torch
torch.manual_seed(0)
x = torch.rand(100, 1, dtype=torch.float64) * 2 - 1
y = (3 * x + {far}).to(torch.{dtype})
x = x.to(torch.{dtype})
w = torch.zeros(1, 1, dtype=torch.{dtype}, requires_grad=True)
b = torch.zeros(1, dtype=torch.{dtype}, requires_grad=True)
for step in range(600):
    loss = ((x @ w + b - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
        b -= 0.1 * b.grad
    w.grad = b.grad = None
"""

EXACT = """
import torch
torch.manual_seed(0)
x = torch.randn(40, 2)
y = x @ torch.tensor([[2.0], [-1.0]]) + 3
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.Adam(model.parameters(), lr={lr}, betas=(0.9, 0.9))
{schedule}
for step in range(1500):
    optimizer.zero_grad()
    torch.nn.functional.mse_loss(model(x), y).backward()
    optimizer.step()
    {after}
"""

CASES = [
    ("lr-too-high", line("SGD(model.parameters(), lr=0.05)", reduction="sum", n=200, steps=30), HEALTHY_LINE,
     "largest stable one"),
    ("lr-too-high", line("SGD(model.parameters(), lr=4.5, momentum=0.9)", steps=60),
     line("SGD(model.parameters(), lr=0.2, momentum=0.9)"), "grows without end"),
    ("lr-too-low", line("SGD(model.parameters(), lr=1e-6)"), HEALTHY_LINE, "steps to get there"),
    ("lr-too-low", line("Adam(model.parameters(), lr=1e-5)"), line("Adam(model.parameters(), lr=0.05)", steps=500),
     "moves a weight by at most"),
    ("ill-conditioned-features",
     line("SGD(model.parameters(), lr=4e-5)", change=" * torch.tensor([100.0, 1.0])", more=" / 10"),
     line("SGD(model.parameters(), lr=0.1)", change=" * torch.tensor([1.2, 0.9])"), "condition number"),
    ("stopped-early", line("SGD(model.parameters(), lr=0.1)", steps=6), HEALTHY_LINE, "with the loss still falling"),
    ("stopped-early", CLASSES.format(order="", lr=0.3, epochs=3, size=60),
     CLASSES.format(order="", lr=0.5, epochs=300, size=60), "stopped after 3 steps"),
    ("collinear-features", line("SGD(model.parameters(), lr=0.05)", change="[:, :1].repeat(1, 2)"), HEALTHY_LINE,
     "rank 2 and 3 columns"),
    ("single-class-batches", CLASSES.format(order="", lr=0.3, epochs=20, size=10),
     CLASSES.format(order="order = torch.randperm(60); x, y = x[order], y[order]", lr=0.05, epochs=60, size=20),
     "hold a single class"),
    ("unshuffled-ordered-data", ORDERED.format(order="torch.arange(400)", size=20, lr=0.05),
     ORDERED.format(order="torch.randperm(400)", size=200, lr=0.05), "same order each epoch"),
    ("separable-data", TWO.format(spread=0.3, after=""), TWO.format(spread=2.0, after=""), "no minimum"),
    ("implicit-bias-not-max-margin",
     TWO.format(spread=0.3, after="margin = ((2 * y - 1) * (x @ w + b)).min() / w.norm()"),
     TWO.format(spread=2.0, after="margin = ((2 * y - 1) * (x @ w + b)).min() / w.norm()"), "the largest is"),
    ("model-cannot-represent", XOR.format(labels="[0., 1., 1., 0.]", decay=0),
     XOR.format(labels="[0., 0., 1., 1.]", decay=0), "proven optimum of this model"),
    ("model-cannot-represent", CURVE.format(formula="t ** 2"), CURVE.format(formula="t"), "the square of the column"),
    ("float32-floor", YEARS.format(dtype="float32", far="5e6"), YEARS.format(dtype="float64", far="5e6"),
     "what float32 resolves"),
    ("adam-late-instability", EXACT.format(lr=0.3, schedule="", after=""),
     EXACT.format(lr=0.1, schedule="scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.995)",
                  after="scheduler.step()"), "at a constant learning rate"),
]  # fmt: skip
