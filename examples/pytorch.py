"""A deep ReLU network in plain PyTorch, without Keras, and its initial weights.

PyTorch draws the weights of a `Linear` with a sixth of the variance that ReLU asks for: in twelve
layers in a row the signal fades, and the gradient with it: the run `default` has a `vanishing`
finding from step 1 on, whose cause is the initialiser. With He's, the first suggestion (run `he`),
the same network learns. Neither Keras nor TensorFlow is imported.
"""

import argparse

import sklearn.datasets
import torch
from torch import nn

from tb_gradplugin import GradientRecorder

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--logdir", default="logs/pytorch")
parser.add_argument("--epochs", type=int, default=8)
args = parser.parse_args()

digits = sklearn.datasets.load_digits()
data = torch.utils.data.TensorDataset(
    torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)
)


def build() -> nn.Sequential:
    """Twelve hidden layers of 64 units; the names of modules are those in the tab."""
    net = nn.Sequential()
    for i in range(12):
        net.add_module(f"linear_{i}", nn.Linear(64, 64))
        net.add_module(f"relu_{i}", nn.ReLU())
    net.add_module("logits", nn.Linear(64, 10))
    return net


def initialise(layer: nn.Module) -> None:
    """He initialisation."""
    if isinstance(layer, nn.Linear):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)


for name in ("default", "he"):
    torch.manual_seed(0)
    net = build()
    if name == "he":
        net.apply(initialise)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    batches = torch.utils.data.DataLoader(data, batch_size=64, shuffle=True)
    with GradientRecorder(
        f"{args.logdir}/{name}", net, optimizer=optimizer, loss_name="cross_entropy"
    ) as recorder:
        for _ in range(args.epochs):
            for x, y in batches:
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(net(x), y)
                loss.backward()
                recorder.record(loss=loss)
                optimizer.step()
    report = recorder.report()
    print(f"{name}: {report.verdict}", *report.kinds, f"loss {loss.item():.2f}", sep=", ")
