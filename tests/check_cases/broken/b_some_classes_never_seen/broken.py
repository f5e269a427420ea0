import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
X, y = load_digits(return_X_y=True)
X, y = torch.tensor(X / 16, dtype=torch.float32), torch.tensor(y)


class NeuralNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()
        self.out = nn.Linear(64, 10)

    def forward(self, x):
        x = self.flatten(x)
        return F.relu(self.out(x))


def train(model, epochs=60):
    loader = DataLoader(TensorDataset(X.reshape(-1, 1, 8, 8), y), batch_size=64, shuffle=True)
    optimizer = torch.optim.SGD([{"params": model.out.weight, "weight_decay": 0.02}, {"params": model.out.bias}], lr=0.2)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.97)
    for epoch in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
        scheduler.step()


model = NeuralNetwork()
train(model)
with torch.no_grad():
    scores = model(X)
accuracy = (scores.argmax(1) == y).float().mean().item()
dead = int((scores.max(0).values == 0).sum())
print("loss", F.cross_entropy(scores, y).item(), "accuracy", accuracy, "outputs that are always 0:", dead)
