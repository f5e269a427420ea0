import torch

torch.manual_seed(8)
torch.set_default_dtype(torch.float64)
height = 140 + 60 * torch.rand(300, 1)          # cm
income = 30_000 * torch.rand(300, 1)            # per year
X = torch.cat([height, income], dim=1)
y = 0.4 * height + 1e-3 * income + 12 + torch.randn(300, 1)

model = torch.nn.Linear(2, 1)
optimizer = torch.optim.LBFGS(model.parameters(), lr=1, max_iter=200, tolerance_grad=1e-10,
                              tolerance_change=1e-14, line_search_fn="strong_wolfe")


def closure():
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(model(X), y)
    loss.backward()
    return loss


for _ in range(10):
    loss = optimizer.step(closure)
print(closure().item(), model.weight.data, model.bias.data)
