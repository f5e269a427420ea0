import numpy as np
import torch
import torch.nn as nn

np.random.seed(0)
torch.manual_seed(0)
x_train = np.random.randn(250, 2).astype(np.float32)
y_train = (4.0 * x_train[:, :1] - 7.0 * x_train[:, 1:] + 10.0 + np.random.randn(250, 1) * 0.5).astype(np.float32)

inputs = torch.from_numpy(x_train)
targets = torch.from_numpy(y_train)


class LinearRegressionModel(nn.Module):
    def __init__(self, input_dim, output_dim):
        super(LinearRegressionModel, self).__init__()
        self.linear = nn.Linear(input_dim, output_dim)

    def forward(self, x):
        return self.linear(x)


model = LinearRegressionModel(2, 1)
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)

for epoch in range(3000):
    optimizer.zero_grad()
    outputs = model(inputs)
    loss = criterion(outputs, targets)
    loss.backward()
    optimizer.step()
    if (epoch + 1) % 500 == 0:
        print('epoch {}, loss {}'.format(epoch + 1, loss.item()))

print(model.linear.weight.data, model.linear.bias.item())
