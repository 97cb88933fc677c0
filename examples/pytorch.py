"""A deep ReLU network in plain PyTorch, without Keras, with two initialisers.

PyTorch draws the weights of a `Linear` with a third of the variance that ReLU needs, so in twelve
layers in a row the signal, and with it the gradient, fades. In the Gradients tab the run `default`
tells of vanishing gradients and of the initialiser as their cause; with `he` the same network learns.
"""

import argparse

import sklearn.datasets
import torch
from torch import nn

from tb_gradplugin import GradientRecorder

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--logdir", default="logs/pytorch")
parser.add_argument("--epochs", type=int, default=15)
args = parser.parse_args()

digits = sklearn.datasets.load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)
y = torch.tensor(digits.target)


def build(initializer: str) -> nn.Sequential:
    """Twelve hidden layers of 64 units."""
    widths = [64] * 13
    hidden = [
        layer for n, m in zip(widths, widths[1:]) for layer in (nn.Linear(n, m), nn.ReLU())
    ]
    net = nn.Sequential(*hidden, nn.Linear(64, 10))
    if initializer == "he":
        for layer in net:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
    return net


for initializer in ("default", "he"):
    torch.manual_seed(0)
    net = build(initializer)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    batches = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(x, y), batch_size=64, shuffle=True
    )
    logdir = f"{args.logdir}/{initializer}"
    with GradientRecorder(
        logdir, net, optimizer=optimizer, loss_name="cross_entropy"
    ) as recorder:
        for _ in range(args.epochs):
            for features, labels in batches:
                loss = nn.functional.cross_entropy(net(features), labels)
                optimizer.zero_grad()
                loss.backward()
                recorder.record(loss=loss)
                optimizer.step()
    report = recorder.report()
    print(f"{initializer}: {report.verdict} {report.kinds}, loss {loss:.2f}")
