import torch
from sklearn.datasets import make_blobs
from sklearn.svm import SVC

X, y = make_blobs(n_samples=100, centers=[[-2.5, 0.0], [2.5, 1.0]], cluster_std=[0.4, 1.1], random_state=3)
svc = SVC(kernel="linear", C=1e6).fit(X, y)
best = 1 / float((svc.coef_ ** 2).sum()) ** 0.5
X = torch.tensor(X)
sign = torch.tensor(2.0 * y - 1)


def loss_function(w, b):
    return torch.nn.functional.relu(1 - sign * (X @ w + b)).pow(2).mean() + 1e-5 * (w ** 2).sum()


w = torch.zeros(2, dtype=torch.float64, requires_grad=True)
b = torch.zeros((), dtype=torch.float64, requires_grad=True)
lbfgs = torch.optim.LBFGS([w, b], max_iter=500, line_search_fn="strong_wolfe", tolerance_grad=1e-14, tolerance_change=0)


def closure():
    lbfgs.zero_grad()
    loss = loss_function(w, b)
    loss.backward()
    return loss


for i in range(5):
    loss = lbfgs.step(closure)

# "gradient descent finds the maximum margin, so it should be the same line as SVC"
margin = (sign * (X @ w + b)).min().item() / w.norm().item()
print("margin", margin, "SVC", best, "loss", loss.item())
