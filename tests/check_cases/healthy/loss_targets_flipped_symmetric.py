import torch
import torch.nn.functional as F

# the squared error does not care about the order of its arguments
torch.manual_seed(0)
x = torch.randn(150, 4)
y = x @ torch.tensor([[1.0], [0.0], [-2.0], [0.5]]) + 3 + 0.2 * torch.randn(150, 1)
model = torch.nn.Linear(4, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(500):
    loss = F.mse_loss(y, model(x))
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item(), model.weight.tolist())
