"""What each process of ``DistributedDataParallel`` contributes to the gradient that is applied.

A parameter's hook is called when its gradient is complete on this process, and before it is put
together with those of the others.  The norm of all is told to the first process through the store
by which the processes found each other.  That is no collective: nobody waits for anybody, and of a
process that died nothing more is heard.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from .processes import Peers, place

dist: Any = torch.distributed

PATIENCE = 1.0
"""Seconds, once, for an answer of the store, which takes a fraction of a millisecond."""
LATEST = struct.Struct("<qdqd")
"""Two logged steps and the norms at them.  The first process asks for a step at its next call, when
another may have told of the step after that, but not of a third: that takes the first's gradient.
"""
NEVER = -1
"""In the place of a step."""


class Ranks(Peers):
    """See ``processes.Peers``. A fault costs one warning and what is known of others.

    Args:
        ddp: the ``torch.nn.parallel.DistributedDataParallel`` around the network.
        name: of the network, where a loop trains several.
        warn: called with a message on the first process.
    """

    def __init__(self, ddp: Any, name: str | None, warn: Callable[[str], None]):
        self.group = ddp.process_group
        self._place = place("torch", self.group)
        self._warn = warn
        self._store: Any = None
        self._parameters = [p for p in ddp.parameters() if p.requires_grad]
        self._hooks: list[Any] = []
        self._norms: dict[int, torch.Tensor] = {}  # of each parameter's gradient, while listening
        self._heard: list[torch.Tensor] = []  # the same when it ended
        self._latest = [(NEVER, 0.0), (NEVER, 0.0)]
        with self._at_no_other_cost():
            if self._place.size > 1:
                # A connection of its own: what the process group asks is not in the way.
                store = _soon(dist.distributed_c10d._get_default_store().clone)
                first = dist.get_process_group_ranks(self.group)[0]
                self._store = dist.PrefixStore(f"tb_gradplugin/{first}/{name or ''}", store)
        self.listen()

    def listen(self) -> None:
        """See ``Peers``; of several backward passes, as in accumulation, the last counts."""
        self.heard()
        if self._store is None:
            return
        with self._at_no_other_cost():
            for index, parameter in enumerate(self._parameters):
                hook = lambda p, index=index: self._measure(index, p.grad)  # noqa: E731
                self._hooks.append(parameter.register_post_accumulate_grad_hook(hook))

    def _measure(self, index: int, gradient: Any) -> None:
        with self._at_no_other_cost(), torch.no_grad():
            if gradient.is_sparse:
                gradient = gradient.coalesce().values()
            # No square of a float32 leaves the range of float64.
            self._norms[index] = torch.linalg.vector_norm(gradient, dtype=torch.float64)

    def heard(self) -> None:
        """See ``Peers``."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        self._heard, self._norms = list(self._norms.values()), {}

    def tell(self, step: int, scale: float) -> None:
        """See ``Peers``."""
        norms = self._heard
        if self._store is None or not norms:
            return
        with self._at_no_other_cost():
            of_all = torch.linalg.vector_norm(torch.stack([n.to(norms[0].device) for n in norms]))
            self._latest = [self._latest[1], (step, float(of_all) / scale)]
            if self._place.rank > 0:
                store, latest = self._store, LATEST.pack(*sum(self._latest, ()))
                _soon(lambda: store.set(str(self._place.rank), latest))

    def told(self, step: int) -> np.ndarray | None:
        """See ``Peers``."""
        found = [dict(self._latest)]
        with self._at_no_other_cost():
            keys, store = [str(rank) for rank in range(1, self._place.size)], self._store
            values = [] if store is None else _soon(lambda: _present(store, keys))
            for value in values:
                before, then, now, this = LATEST.unpack(value)
                found.append({before: then, now: this})
        if len(found) < self._place.size or not all(step in norms for norms in found):
            return None
        return np.array([norms[step] for norms in found])

    @contextlib.contextmanager
    def _at_no_other_cost(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._store = None
            if self._place.rank == 0:
                self._warn(
                    "compares the gradients of the processes no more; all else goes on. "
                    f"{type(error).__name__}: {error}"
                )


def _present(store: Any, keys: list[str]) -> list[bytes]:
    """Values of all keys, or of none: the store would wait for one that is not there."""
    return store.multi_get(keys) if store.check(keys) else []


def _soon(ask: Callable[[], Any]) -> Any:
    """``ask()``, unless it takes longer than ``PATIENCE``: a store whose machine is gone is silent.

    Raises:
        TimeoutError: no answer came; the thread that waits for it is left to itself.
    """
    answer: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True, name="gradients of ranks").start()
    return answer.result(PATIENCE)
