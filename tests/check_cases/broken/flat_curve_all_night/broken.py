import torch
import torch.nn.functional as F
from sklearn.datasets import make_classification
from torch.utils.data import DataLoader, TensorDataset

X, y = make_classification(n_samples=800, n_features=12, n_informative=6, n_redundant=0, flip_y=0.1,
                           class_sep=0.8, random_state=4)
X = torch.from_numpy(X).float()
y = torch.from_numpy(y).float()
loader = DataLoader(TensorDataset(X, y), batch_size=80, shuffle=True)

torch.manual_seed(0)
weights = torch.zeros(12, requires_grad=True)
bias = torch.zeros(1, requires_grad=True)
optimizer = torch.optim.SGD([weights, bias], lr=1e-6)

for epoch in range(100):
    total = 0.
    for xb, yb in loader:
        logit = xb.mv(weights) + bias
        loss = F.binary_cross_entropy_with_logits(logit, yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(xb)
    if epoch % 20 == 0:
        print(epoch, total / len(X))

with torch.no_grad():
    print("loss", F.binary_cross_entropy_with_logits(X.mv(weights) + bias, y).item())
