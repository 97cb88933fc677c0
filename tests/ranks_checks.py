"""What ``test_ranks.py`` checks: two processes under PyTorch's ``DistributedDataParallel``.

    python tests/ranks_checks.py  # one JSON object: name -> "" or what failed

Each check runs in both processes (gloo, on this machine), in new ones where one of them dies.
References are gradients by ``torch.autograd.grad`` of a copy that knows of no processes, at the
same weights, on the batches of both.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import torch
import torch.distributed as dist
from numpy.testing import assert_allclose
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from tb_gradplugin import GradientRecorder
from tests.own_process import checks_in, free_port, norm_of_all

RANK, FOLDER = 0, ""
"""Of this process; a directory that both know."""
TOLERANCE = 1e-4
loss_of = nn.functional.binary_cross_entropy_with_logits


def network(depth: int = 1, activation: Any = nn.Tanh) -> nn.Sequential:
    torch.manual_seed(0)
    hidden = [m for _ in range(depth) for m in (nn.Linear(6, 6), activation())]
    return nn.Sequential(*hidden, nn.Linear(6, 1))


def part(step: int, rank: int, n: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the batch of a step, that of one process."""
    x = torch.randn(n, 6, generator=torch.Generator().manual_seed(2 * step + rank))
    return x, (x[:, :1] > 0).float()


def train(
    ddp: Any,
    steps: int,
    recorder: Any = None,
    *,
    data: Any = part,
    micro: int = 1,
    scale: float = 1.0,
    zero: bool = True,
    optimizer: Any = None,
) -> list[list[torch.Tensor]]:
    """A user's loop; the weights before each step and after the last."""
    optimizer = optimizer or torch.optim.SGD(ddp.parameters(), 0.1, momentum=0.9)
    weights = []
    for step in range(1, steps + 1):
        weights.append([p.detach().clone() for p in ddp.parameters()])
        optimizer.zero_grad(set_to_none=zero)
        for i in range(micro):
            x, y = data(micro * step + i, RANK)
            with contextlib.nullcontext() if i == micro - 1 else ddp.no_sync():
                loss = loss_of(ddp(x), y) / micro
                (scale * loss).backward()
        if recorder is not None:
            recorder.record(step=step, loss=loss, loss_scale=scale)
        for p in ddp.parameters():
            p.grad /= scale
        optimizer.step()
    return [*weights, [p.detach().clone() for p in ddp.parameters()]]


def reference(weights: list[torch.Tensor], places: list[tuple[int, int]]) -> list[np.ndarray]:
    """Gradients at ``weights`` of the mean loss over the batches of (step, rank)."""
    net = network(2)
    with torch.no_grad():
        for p, value in zip(net.parameters(), weights, strict=True):
            p.copy_(value)
    x, y = (torch.cat(parts) for parts in zip(*(part(*place) for place in places), strict=True))
    return [g.numpy() for g in torch.autograd.grad(loss_of(net(x), y), list(net.parameters()))]


def recorder_of(folder: str, ddp: Any, **more: Any) -> GradientRecorder:
    more = {"update_freq": 1, "on_unhealthy": "ignore", **more}
    return GradientRecorder(f"{FOLDER}/{folder}_{RANK}", ddp, loss_name="cross_entropy", **more)


def written(folder: str) -> Any:
    """Structure and statistics by step of what was written by the first process."""
    assert not pathlib.Path(f"{FOLDER}/{folder}_1").exists()
    from tests.backend_checks import recorded

    structure, rows, *_ = recorded(f"{FOLDER}/{folder}_0")
    return structure, rows


def health(recorder: GradientRecorder) -> tuple[list[Any], list[str]]:
    """Notes and kinds of findings."""
    (run,) = recorder.report().runs.values()
    return [(n.kind, n.since_step, n.evidence) for n in run.notes], run.kinds


def noted_norms(recorder: GradientRecorder) -> dict[int, np.ndarray]:
    """To be filled with what is told of the processes at each step."""
    found: dict[int, np.ndarray] = {}

    def observe(step: int, norms: np.ndarray, *, scaled: bool) -> None:
        found[step] = norms

    recorder._replicas.__dict__["observe"] = observe
    return found


def compare(name: str, micro: int = 1, *, zero: bool = True, **more: Any) -> None:
    """Statistics of what is applied, and the norms of what each process has contributed."""
    from tests.backend_checks import statistics64

    ddp = DistributedDataParallel(network(2), **more)
    with recorder_of(name, ddp) as recorder:
        norms = noted_norms(recorder)
        weights = train(ddp, 4, recorder, micro=micro, zero=zero)
    if RANK > 0:
        assert norms == {}
        return
    structure, rows = written(name)
    assert [layer.path for layer in structure.layers] == ["0", "1", "2", "3", "4"]
    assert structure.variables[0].path == "0/weight"
    assert list(rows.steps) == [1, 2, 3, 4]
    for step, values in enumerate(rows.values, start=1):
        before, after = weights[step - 1], weights[step]
        places = [[(micro * step + i, rank) for i in range(micro)] for rank in (0, 1)]
        parts = [reference(before, mine) for mine in places]
        whole = reference(before, places[0] + places[1])
        for row, g, old, new in zip(values, whole, before, after, strict=True):
            expected = statistics64(g, old.numpy(), new.numpy())
            size = np.maximum(np.abs(expected), np.abs(g).max() * 1e-2)
            assert np.max(np.abs(row - expected) / size) < TOLERANCE, (step, row, expected)
        assert abs(norm_of_all(parts[0]) / norm_of_all(whole) - 1.0) > 1e-2  # a check that can fail
        if step < 4 or step in norms:
            assert_allclose(norms[step], [norm_of_all(p) for p in parts], rtol=1e-5)


def check_what_is_applied_is_shown_and_the_first_process_writes() -> None:
    compare("applied")


def check_accumulation_without_synchronising() -> None:
    compare("accumulation", micro=3)


def check_gradients_that_are_views_of_a_bucket() -> None:
    compare("views", gradient_as_bucket_view=True)
    compare("views_kept", gradient_as_bucket_view=True, zero=False)


def check_several_buckets() -> None:
    compare("buckets", bucket_cap_mb=1e-4)


def check_wrappers_have_no_part_in_names() -> None:
    class Compiled(nn.Module):
        """As torch.compile has it."""

        def __init__(self, module: nn.Module):
            super().__init__()
            self._orig_mod = module

        def forward(self, x: Any) -> Any:
            return self._orig_mod(x)

    net = Compiled(DistributedDataParallel(Compiled(network())))
    with recorder_of("wrapped", net) as recorder:
        loss_of(net(part(1, RANK)[0]), part(1, RANK)[1]).backward()
        recorder.record(step=1)
    if RANK == 0:
        assert written("wrapped")[0].variables[0].path == "0/weight"


def check_weights_are_bit_identical() -> None:
    runs = []
    for watched in (False, True):
        ddp = DistributedDataParallel(network(2))
        with contextlib.ExitStack() as stack:
            recorder = stack.enter_context(recorder_of("bits", ddp)) if watched else None
            runs.append(train(ddp, 12, recorder)[-1])
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))


def check_nothing_is_left_behind() -> None:
    ddp = DistributedDataParallel(network())
    with recorder_of("left", ddp) as recorder:
        assert all(p._post_accumulate_grad_hooks for p in ddp.parameters())
        train(ddp, 3, recorder)
    assert not any(p._post_accumulate_grad_hooks for p in ddp.parameters())


def check_steps_that_are_not_logged_are_not_listened_to() -> None:
    ddp = DistributedDataParallel(network())
    with recorder_of("seldom", ddp, update_freq=4) as recorder:
        norms, listens = noted_norms(recorder), []
        for _ in range(9):
            listens.append(any(p._post_accumulate_grad_hooks for p in ddp.parameters()))
            loss_of(ddp(part(1, RANK)[0]), part(1, RANK)[1]).backward()
            recorder.record()
    assert [step for step, listened in enumerate(listens, 1) if listened] == [1, 5, 9]
    assert RANK > 0 or set(norms) >= {1, 5}


def check_the_loss_scale_is_divided_out() -> None:
    found = []
    for scale in (1.0, 1024.0):
        ddp = DistributedDataParallel(network())
        with recorder_of(f"scale_{scale}", ddp) as recorder:
            norms = noted_norms(recorder)
            train(ddp, 3, recorder, scale=scale)
        found.append([norms[step] for step in (1, 2)] if RANK == 0 else 0)
    assert_allclose(found[0], found[1], rtol=1e-5)


def check_a_process_whose_data_are_broken_is_named() -> None:
    def data(step: int, rank: int) -> Any:
        x, y = part(step, rank)
        if (step, rank) == (5, 1):
            x[2, 3] = torch.nan
        return x, y

    ddp = DistributedDataParallel(network())
    with recorder_of("broken", ddp) as recorder:
        train(ddp, 8, recorder, data=data)
    if RANK == 0:
        assert health(recorder) == ([("replica", 5, {"replicas": [1]})], ["nonfinite"])


def check_a_process_whose_data_are_of_another_scale_is_named() -> None:
    def data(step: int, rank: int) -> Any:
        x, y = part(step, rank)
        return x * 200.0 if rank == 1 else x, y

    ddp = DistributedDataParallel(network(1, nn.ReLU))
    with recorder_of("scale", ddp) as recorder:
        train(ddp, 14, recorder, data=data)
    if RANK == 0:
        ((kind, step, evidence),), _ = health(recorder)
        assert (kind, step, evidence["replica"]) == ("replica", 1, 1)
        assert evidence["ratio"] > 10.0


def check_the_report_is_right_on_a_sick_and_a_healthy_network() -> None:
    for name, depth, activation, kinds in (
        ("sick", 10, nn.Sigmoid, ["vanishing"]),
        ("healthy", 1, nn.ReLU, []),
    ):
        ddp = DistributedDataParallel(network(depth, activation))
        with recorder_of(name, ddp, update_freq="auto") as recorder:
            train(ddp, 60, recorder, optimizer=torch.optim.AdamW(ddp.parameters(), 1e-3))
        if RANK == 0:
            assert health(recorder) == ([], kinds), health(recorder)
        else:
            assert recorder.report().verdict == "no data"


def check_a_keras_model() -> None:
    import keras

    keras.utils.set_random_seed(0)
    layers = [keras.Input((6,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    ddp = DistributedDataParallel(model)
    x, y = part(1, RANK)
    with recorder_of("keras", ddp) as recorder:
        norms = noted_norms(recorder)
        for step in (1, 2):
            model.zero_grad()
            loss = loss_of(ddp(x), y)
            loss.backward()
            variables = model.trainable_variables
            found = [v.value.grad for v in variables]
            recorder.record(found, variables, step=step, loss=loss)
    if RANK == 0:
        structure, rows = written("keras")
        assert [v.role for v in structure.variables] == ["kernel", "bias"] * 2
        assert_allclose(rows.values[0, :, 0], [np.linalg.norm(g) for g in found], rtol=1e-5)
        assert norms[1].shape == (2,)


def check_a_store_that_is_silent_costs_a_second_once() -> None:
    from tb_gradplugin.callbacks import torch_ranks

    class Silent:
        """As of a machine that is gone: nothing comes back, not even an error."""

        def set(self, *args: Any) -> None:
            time.sleep(60)

        check = multi_get = set

    ddp = DistributedDataParallel(network())
    import warnings

    with warnings.catch_warnings(record=True) as told, recorder_of("silent", ddp) as recorder:
        warnings.simplefilter("always")
        recorder._peers._store = Silent()
        start = time.monotonic()
        train(ddp, 6, recorder)
        recorder.close()
        assert time.monotonic() - start < 3 * torch_ranks.PATIENCE
    messages = [str(w.message) for w in told if "GradientRecorder" in str(w.message)]
    assert len(messages) == (1 if RANK == 0 else 0), messages
    if RANK == 0:
        assert "compares the gradients of the processes no more" in messages[0]
        assert list(written("silent")[1].steps) == [1, 2, 3, 4, 5, 6]


# ------------------------------------------------------------------------------ processes that die


def dying(which: int) -> None:
    """The process ``which`` is killed in step 5; the other is to be left by DDP's error at once."""
    ddp = DistributedDataParallel(network())
    name, spent, failed = f"dying_{which}", 0.0, ""
    with recorder_of(name, ddp) as recorder:
        for step in range(1, 8):
            if step == 5 and which == RANK:
                os.kill(os.getpid(), signal.SIGKILL)
            x, y = part(step, RANK)
            ddp.zero_grad()
            try:
                loss = loss_of(ddp(x), y)
                loss.backward()
            except RuntimeError as error:  # gloo's: the connection is closed
                failed = failed or str(error)
                loss = loss_of(ddp.module(x), y)  # a loop that goes on alone
                loss.backward()
            start = time.monotonic()
            recorder.record(step=step, loss=loss)
            spent += time.monotonic() - start if failed else 0.0
        start = time.monotonic()
    spent += time.monotonic() - start
    assert failed
    assert spent < 3.0, spent
    if RANK == 0:
        assert list(written(name)[1].steps) == [1, 2, 3, 4, 5, 6, 7]


def check_the_first_goes_on_when_the_second_dies() -> None:
    dying(1)


def check_the_second_goes_on_when_the_first_dies() -> None:
    dying(0)


CHECKS = checks_in(globals())


def work(port: str, wanted: list[str]) -> None:
    """What one of the two processes does."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"tcp://127.0.0.1:{port}",
        rank=RANK,
        world_size=2,
        timeout=datetime.timedelta(seconds=60),
    )
    for name in wanted:
        try:
            CHECKS[name]()
            failed = ""
        except Exception:
            failed = traceback.format_exc()
        pathlib.Path(FOLDER, f"{name}.{RANK}").write_text(failed)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # a group whose other process died does not end by itself


def pair(folder: str, wanted: list[str]) -> list[subprocess.Popen[bytes]]:
    """Both processes, started."""
    port = str(free_port())
    command = [sys.executable, __file__, "--rank"]
    return [
        subprocess.Popen([*command, str(rank), folder, port, *wanted], stderr=subprocess.PIPE)
        for rank in (0, 1)
    ]


def main(wanted: list[str]) -> None:
    alone = [name for name in wanted if "_dies" in name]
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for names in [[n for n in wanted if n not in alone], *([name] for name in alone)]:
            processes = pair(folder, names)
            errors = [p.communicate(timeout=120)[1].decode() for p in processes]
            for name in names:
                told = [pathlib.Path(folder, f"{name}.{rank}") for rank in (0, 1)]
                missing = "" if name in alone else f"died: {errors}"
                failed = [p.read_text() if p.exists() else missing for p in told]
                if not any(p.exists() for p in told):
                    failed.append(f"both died: {errors}")
                results[name] = "\n".join(filter(None, failed))
    print(json.dumps({"backend": "torch", "results": results}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--rank"]:
        RANK, FOLDER = int(sys.argv[2]), sys.argv[3]
        work(sys.argv[4], sys.argv[5:])
    else:
        main(sys.argv[1:] or list(CHECKS))
