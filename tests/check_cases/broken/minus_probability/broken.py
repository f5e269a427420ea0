import torch
import torch.nn as nn
import torch.optim as optim

torch.manual_seed(2)
X = torch.randn(600, 5)
y = torch.distributions.Categorical(logits=1.5 * X @ torch.randn(5, 3)).sample()

model = nn.Sequential(nn.Linear(5, 3), nn.Softmax(dim=1))
loss_fn = nn.NLLLoss()
optimizer = optim.SGD(model.parameters(), lr=1.0)
for epoch in range(1500):
    optimizer.zero_grad()
    prob = model(X)
    loss = loss_fn(prob, y)
    loss.backward()
    optimizer.step()

with torch.no_grad():
    prob = model(X)
    print("loss", loss.item(), "accuracy", (prob.argmax(1) == y).float().mean().item(),
          "log loss", -torch.log(prob.gather(1, y[:, None])).mean().item())
