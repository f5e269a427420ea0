import torch
from torch.utils.data import DataLoader, TensorDataset


class Trainer:
    def __init__(self, model, loader):
        self.model = model
        self.loader = loader
        self.optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        self.scheduler = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, 0.9)
        self.history = []
        self.total_loss = 0

    def fit(self, epochs):
        for epoch in range(epochs):
            for x, y in self.loader:
                loss = torch.nn.functional.cross_entropy(self.model(x), y)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                self.total_loss += loss
            self.scheduler.step()
            self.history.append(self.total_loss / ((epoch + 1) * len(self.loader)))
        return self.history


torch.manual_seed(1)
x = torch.randn(900, 4)
y = (x @ torch.randn(4, 3) + torch.randn(900, 3)).argmax(1)
model = torch.nn.Linear(4, 3)
history = Trainer(model, DataLoader(TensorDataset(x, y), batch_size=90, shuffle=True)).fit(50)
print("average loss", history[-1], "accuracy", (model(x).argmax(1) == y).float().mean().item())
