import torch
import torch.nn as nn


class Digits(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(16, 3)

    def forward(self, img):
        flat = nn.Flatten()(img)                  # has no parameters
        return nn.LogSoftmax(dim=1)(self.fc(flat))


torch.manual_seed(0)
img = torch.rand(600, 4, 4)
y = torch.distributions.Categorical(logits=3 * (img.flatten(1) - 0.5) @ torch.randn(16, 3)).sample()
net = Digits()
opt = torch.optim.LBFGS(net.parameters(), max_iter=60, line_search_fn="strong_wolfe")


def closure():
    opt.zero_grad()
    loss = nn.NLLLoss()(net(img), y)
    loss.backward()
    return loss


for _ in range(15):
    loss = opt.step(closure)
print(loss.item(), (net(img).argmax(1) == y).float().mean().item())
