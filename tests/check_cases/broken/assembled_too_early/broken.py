import torch
import torch.nn as nn


def build(sizes):
    layers = []
    net = nn.Sequential(*layers)
    for a, b in zip(sizes[:-1], sizes[1:]):
        layers.append(nn.Linear(a, b))
    return net


def run():
    torch.manual_seed(0)
    X = torch.randn(300, 5)
    y = torch.distributions.Categorical(logits=X @ torch.randn(5, 3)).sample()
    net = build([5, 3])
    opt = torch.optim.RMSprop(net.parameters(), lr=0.01)
    for epoch in range(400):
        opt.zero_grad()
        loss = nn.CrossEntropyLoss()(net(X), y)
        loss.backward()
        opt.step()
    print(loss.item())
    return X, y, loss.item()


if __name__ == "__main__":
    X, y, last = run()
