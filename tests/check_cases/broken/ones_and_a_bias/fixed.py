import torch
from sklearn.datasets import load_diabetes

data = load_diabetes()
X = torch.tensor(data.data[:, [2, 8]], dtype=torch.float64)
X = X / X.std(0)
X = torch.cat([torch.ones(len(X), 1, dtype=torch.float64), X], dim=1)
y = torch.tensor(data.target, dtype=torch.float64).view(-1, 1)

torch.manual_seed(4)
linear = torch.nn.Linear(3, 1, bias=False, dtype=torch.float64)
torch.nn.init.uniform_(linear.weight, -60, 60)
optimizer = torch.optim.LBFGS(linear.parameters(), max_iter=100, line_search_fn="strong_wolfe")


def closure():
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(linear(X), y)
    loss.backward()
    return loss


for _ in range(5):
    optimizer.step(closure)
print("weight of the ones", linear.weight[0, 0].item(), "loss", closure().item())
