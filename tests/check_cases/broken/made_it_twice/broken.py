import torch
import torch.nn as nn

torch.manual_seed(0)
n_features = 8
X = torch.randn(400, n_features)
y = (torch.sigmoid(X @ torch.linspace(-1, 1, n_features)) > torch.rand(400)).float().unsqueeze(1)


def make_model():
    return nn.Sequential(nn.Linear(n_features, 1))


net = make_model()
print(net)
learning_rate = 0.5
optimizer = torch.optim.SGD(net.parameters(), lr=learning_rate)
criterion = nn.BCEWithLogitsLoss()

net = make_model()
for epoch in range(300):
    output = net(X)
    loss = criterion(output, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", loss.item())
