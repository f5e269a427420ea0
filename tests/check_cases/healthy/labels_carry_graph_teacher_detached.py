import torch
from torch import nn

torch.manual_seed(4)
teacher = nn.Linear(4, 3)
student = nn.Linear(4, 3)
x = torch.randn(400, 4)
opt = torch.optim.Adam(student.parameters(), lr=0.05)
for epoch in range(600):
    soft = torch.softmax(teacher(x) / 2, dim=1).detach()          # made anew in every step, cut off
    loss = nn.functional.cross_entropy(student(x), soft)
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item(), "entropy of the targets", -(soft * soft.log()).sum(1).mean().item())
