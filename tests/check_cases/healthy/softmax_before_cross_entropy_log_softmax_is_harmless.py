import torch
from torch import nn

torch.manual_seed(0)
X = torch.randn(500, 4)
y = torch.distributions.Categorical(logits=X @ torch.randn(4, 3)).sample()
model = nn.Sequential(nn.Linear(4, 3), nn.LogSoftmax(dim=1))
criterion = nn.CrossEntropyLoss()                 # of log-probabilities: the same as NLLLoss, log-softmax twice is once
opt = torch.optim.Adam(model.parameters(), lr=0.05)
for epoch in range(600):
    opt.zero_grad()
    loss = criterion(model(X), y)
    loss.backward()
    opt.step()
with torch.no_grad():
    p = torch.softmax(model(X), dim=1)
print(loss.item(), "mean confidence", p.max(1).values.mean().item())
