import numpy as np
import torch

rng = np.random.RandomState(1)
x = np.linspace(0, 1, 40)
noise = 1 * rng.uniform(size=40)
y = np.sin(x * 1.5 * np.pi)
y_noise = torch.tensor((y + noise - 1).reshape(-1, 1))

degree = 5
P = torch.tensor(np.vander(x, degree + 1, increasing=True)[:, 1:])

theta = torch.zeros(degree, 1, dtype=torch.float64, requires_grad=True)
intercept = torch.zeros(1, dtype=torch.float64, requires_grad=True)
alpha = 0.4

for it in range(5000):
    J = ((P @ theta + intercept - y_noise) ** 2).mean()
    g_theta, g_int = torch.autograd.grad(J, [theta, intercept])
    with torch.no_grad():
        theta -= alpha * g_theta
        intercept -= alpha * g_int

print("J", J.item())
print(theta.flatten().tolist(), intercept.item())
