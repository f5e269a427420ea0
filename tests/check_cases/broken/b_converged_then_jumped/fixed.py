import torch
import torch.nn as nn

torch.manual_seed(0)
x = torch.randn(200, 20)
y = x @ torch.randn(20, 1) + 1

model = nn.Linear(20, 1)
loss_fn = nn.MSELoss(reduction="sum")
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.997)

losses = []
for t in range(3500):
    loss = loss_fn(model(x), y)
    losses.append(loss.item())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    if t % 250 == 249:
        print(t + 1, losses[-1])

tail = losses[2000:]
print("lowest", min(losses), "at", losses.index(min(losses)), "highest after step 2000", max(tail), "last", losses[-1])
