import torch
import torch.nn as nn


class Trainer:
    def __init__(self, model, lr):
        self.model = model
        self.opt = torch.optim.Adam(model.parameters(), lr=lr)

    def step(self, x, y):
        loss = nn.functional.cross_entropy(self.model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 10.0)
        self.opt.step()
        return loss.item()


torch.manual_seed(4)
X = torch.randn(600, 6)
y = torch.distributions.Categorical(logits=X @ torch.randn(6, 3)).sample()
model = nn.Linear(6, 3)
trainer = Trainer(model, 0.05)
for epoch in range(500):
    trainer.step(X, y)
    for p in model.parameters():
        p.grad = None
print(nn.functional.cross_entropy(model(X), y).item())
