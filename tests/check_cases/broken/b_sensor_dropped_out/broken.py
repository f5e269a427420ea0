import numpy as np
import torch
import torch.nn as nn

torch.manual_seed(0)
rng = np.random.default_rng(0)
features = rng.normal(20.0, 5.0, size=(300, 3))
target = features @ np.array([0.5, -0.2, 0.1]) + 3.0 + rng.normal(0, 0.3, 300)
features[rng.random(features.shape) < 0.01] = np.nan

mean, std = np.nanmean(features, axis=0), np.nanstd(features, axis=0)
X = torch.tensor((features - mean) / std, dtype=torch.float32)
y = torch.tensor(target, dtype=torch.float32).unsqueeze(1)

model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(300):
    loss = nn.functional.mse_loss(model(X), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", loss.item(), "weights", model.weight.tolist())
