import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(0)
images, numbers = load_digits(return_X_y=True)
images = torch.tensor(images / 16, dtype=torch.float32)
targets = torch.tensor(numbers)

model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam([{"params": model[1].weight, "weight_decay": 0.01}, {"params": model[1].bias}], lr=0.05)

for epoch in range(400):
    logits = model(images)
    loss = loss_fn(logits, targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", loss.item(), "accuracy", (model(images).argmax(1).numpy() == numbers).mean())
