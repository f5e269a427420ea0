import torch
import torch.nn as nn
import torch.optim as optim
from sklearn.datasets import make_blobs
from sklearn.model_selection import train_test_split

X, y = make_blobs(n_samples=450, centers=3, n_features=4, cluster_std=8.0, random_state=7)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
X_train = torch.FloatTensor((X_train - X.mean(0)) / X.std(0))
X_test = torch.FloatTensor((X_test - X.mean(0)) / X.std(0))
y_train = torch.LongTensor(y_train)
y_test = torch.LongTensor(y_test)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(4, 3)

    def forward(self, x):
        return self.out(x)


torch.manual_seed(1)
net = Net()
loss_fn = nn.CrossEntropyLoss()
optimizer = optim.SGD(net.parameters(), lr=0.3, momentum=0.9)
for i in range(600):
    optimizer.zero_grad()
    scores = net.forward(X_train)
    loss = loss_fn(scores, y_train)
    loss.backward()
    optimizer.step()

print(loss.item(), (net(X_test).argmax(1) == y_test).float().mean().item())
