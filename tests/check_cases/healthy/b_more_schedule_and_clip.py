import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
X = torch.randn(1000, 12)
y = (X @ torch.randn(12, 4) + 2 * torch.randn(1000, 4)).argmax(1)
model = nn.Linear(12, 4)
optimizer = torch.optim.AdamW([{"params": model.weight, "weight_decay": 0.0}, {"params": model.bias}], lr=0.02,
                              weight_decay=0.0)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.05, total_steps=400)
for epoch in range(40):
    for xb, yb in DataLoader(TensorDataset(X, y), batch_size=100, shuffle=True):
        optimizer.zero_grad(set_to_none=False)
        loss = nn.functional.cross_entropy(model(xb), yb)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        scheduler.step()
with torch.no_grad():
    print(nn.functional.cross_entropy(model(X), y).item(), (model(X).argmax(1) == y).float().mean().item())
