import torch

# nearest learned centre: the smallest distance is the right answer, and the scores are minus the distances
torch.manual_seed(0)
centre = torch.tensor([[0.0, 2.0], [2.0, -1.0], [-2.0, -1.0]])
label = torch.randint(0, 3, (400,))
X = centre[label] + torch.randn(400, 2)
W = torch.zeros(2, 3, requires_grad=True)
b = torch.zeros(3, requires_grad=True)
opt = torch.optim.SGD([W, b], lr=0.3)
for epoch in range(1500):
    cost = -(X @ W + b)                          # a cost for each class: lower is likelier
    loss = torch.nn.functional.cross_entropy(-cost, label)
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item(), (cost.argmin(1) == label).float().mean().item())
