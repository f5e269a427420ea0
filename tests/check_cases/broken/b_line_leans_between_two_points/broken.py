import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset


class TwoPoints(Dataset):
    def __init__(self):
        self.points = [([4.0, 1.0], 1.0), ([1.0, 0.0], 0.0)]

    def __getitem__(self, index):
        p, label = self.points[index]
        return torch.tensor(p), torch.tensor(label)

    def __len__(self):
        return len(self.points)


class Perceptron(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 1)

    def forward(self, x):
        return torch.sigmoid(self.linear(x)).squeeze(1)


torch.manual_seed(0)
model = Perceptron()
optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
for epoch in range(1000):
    for x, label in DataLoader(TwoPoints(), batch_size=2):
        loss = nn.functional.binary_cross_entropy(model(x), label)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

# the line should stand at right angles on the segment between the points, in its middle
w, b = model.linear.weight.detach()[0], model.linear.bias.item()
segment = torch.tensor([3.0, 1.0])
cosine = (w @ segment / w.norm() / segment.norm()).item()
middle = (w @ torch.tensor([2.5, 0.5]) + b).item() / w.norm().item()
print("loss", loss.item(), "cosine", cosine, "distance of the line from the middle", middle)
