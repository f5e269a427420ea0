import torch

torch.manual_seed(10)
x = torch.randn(250, 2)
y = torch.bernoulli(torch.sigmoid(x[:, 0] + 2 * x[:, 1] - 0.5))


class LogisticRegression:
    def __init__(self, d):
        self.w = torch.zeros(d, requires_grad=True)
        self.b = torch.zeros(1, requires_grad=True)

    def log_likelihood(self, x, y):
        z = x @ self.w + self.b
        return (y * torch.nn.functional.logsigmoid(z) + (1 - y) * torch.nn.functional.logsigmoid(-z)).mean()

    def fit(self, x, y, epochs=1500):
        opt = torch.optim.Adam([self.w, self.b], lr=0.05)
        for epoch in range(epochs):
            loss = self.log_likelihood(x, y)
            opt.zero_grad()
            loss.backward()
            opt.step()
        return loss.item()

    def predict(self, x):
        return (x @ self.w + self.b > 0).float()


clf = LogisticRegression(2)
final = clf.fit(x, y)
accuracy = (clf.predict(x) == y).float().mean().item()
print("loss", final, "accuracy", accuracy)
