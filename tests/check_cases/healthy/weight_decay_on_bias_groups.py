import torch
from torch import nn

torch.manual_seed(0)
X = torch.randn(300, 4)
y = X @ torch.tensor([[1.0], [2.0], [0.0], [-1.0]]) - 25 + 0.5 * torch.randn(300, 1)
model = nn.Linear(4, 1)
decay = [p for name, p in model.named_parameters() if not name.endswith("bias")]
free = [p for name, p in model.named_parameters() if name.endswith("bias")]
optimizer = torch.optim.SGD(decay, lr=0.1, weight_decay=0.1)
optimizer.add_param_group({"params": free, "weight_decay": 0.0})
for epoch in range(500):
    loss = nn.functional.mse_loss(model(X), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(loss.item(), model.weight.tolist(), model.bias.item())
