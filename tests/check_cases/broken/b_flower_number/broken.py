import torch
from sklearn.datasets import make_blobs
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(1)
points, kind = make_blobs(n_samples=600, centers=[[0, 0], [3, 0], [1.5, 2.5], [-1.5, 2.5]], cluster_std=0.9,
                          random_state=7)
points = torch.tensor(points, dtype=torch.float32)
kind = torch.tensor(kind)
loader = DataLoader(TensorDataset(points, kind), batch_size=60, shuffle=True)


def fit(epochs=60):
    model = nn.Linear(2, 1)
    loss_fn = nn.MSELoss()
    opt = optim.Adam(model.parameters(), lr=0.02)
    schedule = optim.lr_scheduler.ExponentialLR(opt, gamma=0.92)
    for _ in range(epochs):
        for xb, yb in loader:
            loss = loss_fn(model(xb).squeeze(1), yb.float())
            opt.zero_grad()
            loss.backward()
            opt.step()
        schedule.step()
    with torch.no_grad():
        guess = model(points).squeeze(1).round().long()
    return model, (guess == kind).float().mean().item()


model, accuracy = fit()
print("accuracy", accuracy)
