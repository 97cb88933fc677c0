"""Where several processes train one model together: which of them this one is, and the others.

The first of them writes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from .networks import wrappers


class Place(NamedTuple):
    """Of this process among those that train together; that of rank 0 writes."""

    rank: int = 0
    size: int = 1


def place(framework: str, group: Any = None, variables: Iterable[Any] = ()) -> Place:
    """Of this process, as it is now; to be asked once processes have found each other.

    Args:
        framework: ``"tensorflow"``, ``"jax"`` or ``"torch"``, which is imported already.
        group: of PyTorch's processes, by default all.
        variables: that are trained: TensorFlow's know the ``tf.distribute`` strategy they are of.
    """
    module: Any = sys.modules.get(framework)
    if framework == "jax":
        return Place(module.process_index(), module.process_count())
    if framework == "torch":
        distributed = module.distributed
        if distributed.is_available() and distributed.is_initialized():
            rank = distributed.get_rank(group)
            if rank >= 0:  # else not one of the group
                return Place(rank, distributed.get_world_size(group))
    if framework == "tensorflow":
        return _in_cluster(variables)
    return Place()


def _in_cluster(variables: Iterable[Any]) -> Place:
    """Under ``MultiWorkerMirroredStrategy``, whose chief, or worker 0, is the first."""
    for variable in variables:
        strategy = getattr(variable, "distribute_strategy", None)
        resolver = getattr(strategy, "cluster_resolver", None)
        if resolver is not None and resolver.task_type in TRAINING:
            jobs = resolver.cluster_spec().as_dict()
            before = TRAINING[: TRAINING.index(resolver.task_type)]
            rank = sum(len(jobs.get(job, ())) for job in before) + (resolver.task_id or 0)
            return Place(rank, sum(len(jobs.get(job, ())) for job in TRAINING))
    return Place()


TRAINING = ("chief", "worker")
"""Jobs of a TensorFlow cluster that train."""


class Peers:
    """Norms of what each process contributes to a gradient; here nothing is known of others.

    Attributes:
        group: of the processes, see ``place``.
    """

    group: Any = None

    def listen(self) -> None:
        """Takes in what this process contributes next."""

    def heard(self) -> None:
        """What it contributed is complete; ends listening."""

    def tell(self, step: int, scale: float) -> None:
        """What was heard was contributed to a logged step, times the loss scale."""

    def told(self, step: int) -> np.ndarray | None:
        """Of a logged step, by rank, divided by the loss scale; None if some are not known."""


def find_peers(model: Any, name: str | None, warn: Callable[[str], None]) -> Peers:
    """Those that train ``model``, if its wrapper tells.

    Args:
        model: as the training loop calls it.
        name: of the network, where a loop trains several.
        warn: called with a message if nothing more can be learnt of them.
    """
    for ddp in wrappers(model):
        if type(ddp).__name__ == "DistributedDataParallel":
            from .torch_ranks import Ranks

            return Ranks(ddp, name, warn)
    return Peers()
