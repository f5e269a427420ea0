"""Scripts that end in an error, and data, widths and modes."""

from __future__ import annotations

from check_rule_cases.a import BY_HAND, BY_MODULE, CLEAR, HEAD, HEALTHY_CLASSES, LINEAR, LOOP, UPDATE, classes, swap

DROPOUT = """
model = nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
"""
NORM = """
model = nn.Sequential(nn.BatchNorm1d(2, affine=False), nn.Linear(2, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
"""
TEACHER = "\nteacher = nn.Linear(2, 1)\ny = teacher(X)"
TEST = "\nwith torch.no_grad():\n    print(model(X[{rows}]).mean())\n"
ARRAY = "\nX = torch.from_numpy(X.numpy().astype('float64'))"

CASES: list[tuple[str, str, str, str]] = [
    ("loss-not-scalar", swap(BY_HAND, ".mean()", ""), BY_HAND, "(60, 1)"),
    (
        "loss-not-scalar",
        swap(BY_MODULE, "F.mse_loss(model(X), y)", "F.mse_loss(model(X), y, reduction='none')"),
        swap(BY_MODULE, "F.mse_loss(model(X), y)", "F.mse_loss(model(X), y, reduction='none').mean()"),
        "loss.mean().backward()",
    ),
    (
        "loss-not-scalar",
        swap(classes("F.cross_entropy(model(X), kinds)"), "(model(X), kinds)", "(model(X), kinds, reduction='none')"),
        swap(swap(HEALTHY_CLASSES, "(model(X), kinds)", "(model(X), kinds, reduction='none')"), "loss.backward()",
             "loss.backward(torch.full((60,), 1 / 60))"),
        "60 numbers instead of one",
    ),
    ("labels-carry-graph", HEAD + TEACHER + LINEAR + LOOP, HEAD + TEACHER + ".detach()" + LINEAR + LOOP, "y.detach()"),
    (
        "labels-carry-graph",
        swap(BY_HAND, "\nw = ", "\ny = X @ torch.ones(2, 1, requires_grad=True) + 1\nw = "),
        swap(BY_HAND, "\nw = ", "\ny = (X @ torch.ones(2, 1, requires_grad=True) + 1).detach()\nw = "),
        "made before the loop",
    ),
    (
        "labels-carry-graph",
        swap(HEAD + TEACHER + LINEAR + LOOP, "F.mse_loss(model(X), y)", "F.mse_loss(model(X[:40]), y[:40])"),
        HEAD + "\nteacher = nn.Linear(2, 1)\nwith torch.no_grad():\n    y = teacher(X)" + LINEAR + LOOP,
        "its graph is gone",
    ),
    (
        "grad-none-before-backward",
        swap(BY_MODULE, "    loss.backward()\n", ""),
        BY_MODULE,
        "150 steps and no backward()",
    ),
    (
        "grad-none-before-backward",
        swap(BY_HAND, "    loss = ", "    w.grad.zero_()\n    loss = "),
        swap(BY_HAND, "    loss = ", "    if w.grad is not None:\n        w.grad.zero_()\n    loss = "),
        "has not been called yet",
    ),
    (
        "grad-none-before-backward",
        swap(BY_HAND, UPDATE, "\n    w = w - 0.1 * w.grad\n    b = b - 0.1 * b.grad\n").replace(CLEAR, "\n"),
        BY_HAND,
        "no leaf",
    ),
    (
        "grad-none-before-backward",
        BY_HAND.replace(", requires_grad=True", ""),
        BY_HAND,
        "nothing that requires a gradient",
    ),
    ("inplace-leaf-update", BY_HAND.replace("with torch.no_grad():", "if True:"), BY_HAND, "with torch.no_grad():"),
    (
        "inplace-leaf-update",
        swap(BY_HAND, UPDATE, "\n    w.sub_(0.1 * w.grad)\n    b.sub_(0.1 * b.grad)\n"),
        swap(BY_HAND, UPDATE, "\n    w.data.sub_(0.1 * w.grad)\n    b.data.sub_(0.1 * b.grad)\n"),
        "changed in place",
    ),
    (
        "inplace-leaf-update",
        swap(BY_HAND, UPDATE, "\n    w[0] = w[0] - 0.1 * w.grad[0]\n"),
        swap(BY_HAND, UPDATE, "\n    w.data[:] = w - 0.1 * w.grad\n    b.data[:] = b - 0.1 * b.grad\n"),
        "(2, 1) requires a gradient",
    ),
    ("dtype-mismatch", HEAD + ARRAY + LINEAR + LOOP, HEAD + ARRAY + ".float()" + LINEAR + LOOP, "X = X.float()"),
    (
        "dtype-mismatch",
        classes("F.cross_entropy(model(X), kinds.float())"),
        classes("F.cross_entropy(model(X), kinds.float().long())"),
        "class labels",
    ),
    (
        "dtype-mismatch",
        swap(BY_MODULE, "F.mse_loss(model(X), y)", "F.binary_cross_entropy(model(X).sigmoid(), (y > 3).long())"),
        swap(BY_MODULE, "F.mse_loss(model(X), y)", "F.binary_cross_entropy(model(X).sigmoid(), (y > 3).float())")
        .replace("lr=0.1", "lr=1.0").replace("(2.0", "(0.5").replace("0.3 * torch.randn", "2 * torch.randn"),
        "int64",
    ),
    (
        "one-hot-integer-target",
        classes("F.cross_entropy(model(X), F.one_hot(kinds, 3))"),
        classes("F.cross_entropy(model(X), F.one_hot(kinds, 3).float())"),
        ".argmax(dim=1)",
    ),
    (
        "one-hot-integer-target",
        classes("F.nll_loss(model(X).log_softmax(1), F.one_hot(kinds, 3))"),
        classes("F.nll_loss(model(X).log_softmax(1), F.one_hot(kinds, 3).argmax(1))"),
        "one column for each class",
    ),
    (
        "one-hot-integer-target",
        classes("F.cross_entropy(model(X), kinds.unsqueeze(1))"),
        classes("F.cross_entropy(model(X), kinds)"),
        ".squeeze(1)",
    ),
    ("output-width-mismatch", swap(HEALTHY_CLASSES, "(2, 3)\noptimizer", "(2, 2)\noptimizer"), HEALTHY_CLASSES,
     "the model has 2 outputs"),
    (
        "output-width-mismatch",
        swap(BY_MODULE, "nn.Linear(2, 1)", "nn.Linear(2, 3)"),
        swap(BY_MODULE, "nn.Linear(2, 1)", "nn.Linear(2, 3)").replace("(model(X), y)", "(model(X), y * torch.ones(3))"),
        "3 outputs for 1 target",
    ),
    (
        "output-width-mismatch",
        swap(HEALTHY_CLASSES, "(model(X), kinds)", "(model(X), kinds + 1)"),
        swap(HEALTHY_CLASSES, "(model(X), kinds)", "(model(X), kinds + 1 - 1)"),
        "labels go from 1 to 3",
    ),
    ("nan-in-data", HEAD + "\nX[3, 1] = float('nan')" + LINEAR + LOOP, HEAD + "\nX[3, 1] = 0.5" + LINEAR + LOOP,
     "1 of 120 values"),
    (
        "nan-in-data",
        HEAD + "\nX = torch.cat([X, torch.ones(60, 1)], 1)\nX = (X - X.mean(0)) / X.std(0)"
        + (LINEAR + LOOP).replace("(2, 1)", "(3, 1)"),
        HEAD + "\nX = (X - X.mean(0)) / X.std(0)" + LINEAR + LOOP,
        "1 of 3 columns is nan in every row",
    ),
    (
        "nan-in-data",
        HEAD + "\ny[5] = float('inf')" + LINEAR + LOOP,
        HEAD + "\ny[5] = float('nan')\nknown = y.isfinite()[:, 0]\nX, y = X[known], y[known]" + LINEAR + LOOP,
        "infinite",
    ),
    (
        "eval-mode-forgotten",
        HEAD + DROPOUT + LOOP + TEST.format(rows=":"),
        HEAD + DROPOUT + LOOP.replace("model(X), y", "model(X), y") + "\nmodel.eval()" + TEST.format(rows=":"),
        "Dropout drops 50 %",
    ),
    (
        "eval-mode-forgotten",
        HEAD + NORM + LOOP + TEST.format(rows=":1"),
        HEAD + NORM + LOOP + "\nmodel.eval()" + TEST.format(rows=":1"),
        "a single row",
    ),
    (
        "eval-mode-forgotten",
        HEAD + NORM + LOOP + TEST.format(rows="X[:, 0] > 0.5"),
        HEAD + NORM + LOOP + "\nmodel.eval()" + TEST.format(rows="X[:, 0] > 0.5"),
        "in training mode in the test",
    ),
]  # fmt: skip
