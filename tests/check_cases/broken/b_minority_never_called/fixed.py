import torch
import torch.nn as nn
from sklearn.datasets import make_classification

torch.manual_seed(0)
X, y = make_classification(n_samples=2000, n_features=8, n_informative=4, weights=[0.9, 0.1], class_sep=0.7,
                           flip_y=0.02, n_clusters_per_class=1, random_state=5)
X = (X - X.mean(0)) / X.std(0)
X, y = torch.tensor(X[:, [0, 1, 2, 3]], dtype=torch.float32), torch.tensor(y)

counts = torch.bincount(y).float()
class_weights = counts.sum() / (2 * counts)
model = nn.Linear(4, 2)
criterion = nn.CrossEntropyLoss(weight=class_weights)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for epoch in range(2500):
    optimizer.zero_grad()
    loss = criterion(model(X), y)
    loss.backward()
    optimizer.step()

pred = model(X).argmax(1)
recall = (pred[y == 1] == 1).float().mean().item()
print("weights", class_weights.tolist(), "recall of the rare class", recall, "predicted", pred.sum().item())
