import torch
import torch.nn as nn
from sklearn.datasets import make_classification
from torch.utils.data import DataLoader, TensorDataset, random_split

X, y = make_classification(n_samples=1200, n_features=8, n_informative=5, n_redundant=0, n_classes=4,
                           n_clusters_per_class=1, class_sep=1.0, flip_y=0.1, random_state=5)
X = (X - X.mean(0)) / X.std(0)
data = TensorDataset(torch.tensor(X, dtype=torch.float32), torch.tensor(y))
train_set, val_set = random_split(data, [1000, 200], generator=torch.Generator().manual_seed(0))


def evaluate(model, loader):
    hits = 0
    with torch.no_grad():
        for xb, yb in loader:
            hits += (torch.softmax(model(xb), 1).argmax(1) == yb).sum().item()
    return hits / len(loader.dataset)


torch.manual_seed(1)
model = nn.Linear(8, 4)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
train_loader = DataLoader(train_set, batch_size=100, shuffle=True)
for epoch in range(100):
    for xb, yb in train_loader:
        optimizer.zero_grad()
        outputs = model(xb)
        probs = torch.softmax(outputs, dim=1)
        loss = criterion(probs, yb)
        loss.backward()
        optimizer.step()
Xa, ya = train_set[:]
with torch.no_grad():
    print("val accuracy", evaluate(model, DataLoader(val_set, batch_size=200)), "train cross-entropy", criterion(model(Xa), ya).item())
