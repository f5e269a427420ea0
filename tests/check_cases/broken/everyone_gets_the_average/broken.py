import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

data = load_diabetes()
cols = [2, 3, 8]                                  # bmi, blood pressure, s5
X = torch.tensor(StandardScaler().fit_transform(data.data[:, cols]), dtype=torch.float32)
y = torch.tensor(data.target, dtype=torch.float32)

torch.manual_seed(0)
model = nn.Linear(3, 1)
loss_fn = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1.0)

for epoch in range(1500):
    prediction = model(X)
    loss = loss_fn(prediction, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

print("loss", loss.item(), "weights", model.weight.data, "bias", model.bias.item())
