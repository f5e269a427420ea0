import torch
import torch.nn.functional as F

torch.manual_seed(1)
X = torch.randn(360, 5)
label = (X @ torch.randn(5, 3) + torch.randn(360, 3)).argmax(1)
onehot = F.one_hot(label, 3)                      # whole numbers, but the loss is written out and handles them

W = torch.zeros(5, 3, requires_grad=True)
b = torch.zeros(3, requires_grad=True)
optimizer = torch.optim.SGD([W, b], lr=0.5)
for epoch in range(1500):
    log_p = (X @ W + b).log_softmax(1)
    loss = -(onehot * log_p).sum(1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(loss.item(), (log_p.argmax(1) == label).float().mean().item())
