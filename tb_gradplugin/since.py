"""Answers that grow: only what is new since the step a page holds, if what it holds still stands.

Every full answer names its ``epoch``, a digest of all it tells of the steps so far.  A page sends
back the last step that it holds and that digest; if the same part of today's answer has it too,
the rest is enough.  Sampling that drops columns, buckets or edges that moved, a sibling run that
came late or a run that was restarted all change the digest: nothing needs to know of them.
"""

from __future__ import annotations

import bisect
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tensorboard import errors

WHOLE = frozenset({"layers", "log10_edges", "shape"})
"""Lists that are no series: part of what must stay the same."""
ANEW = frozenset({"sick", "maps", "probe"})
"""What comes whole with every answer, and may change."""


def answer(full: dict[str, Any], asked: Mapping[str, str]) -> dict[str, Any]:
    """``full`` with its ``epoch``, or what of it is new.

    Args:
        full: objects with a list ``steps``, ascending; lists beside and below it, but for those
            above, are as long.
        asked: the request's parameters; ``since``, a step, and ``epoch``, of an earlier answer.

    Raises:
        InvalidArgumentError: ``since`` is not an integer.
    """
    out = {**full, "epoch": _digest(full, _last(full))}
    if "since" not in asked:
        return out
    try:
        since = int(asked["since"])
    except ValueError:
        raise errors.InvalidArgumentError(
            f"`since` (={asked['since']!r}) must be a step, a whole number."
        ) from None
    if _digest(full, since) != asked.get("epoch"):
        return out
    return {**_part(full, since, after=True), "epoch": out["epoch"], "since": since}


def _last(full: dict[str, Any]) -> int:
    """The last step up to which every series is there."""
    if "steps" in full:
        return full["steps"][-1] if full["steps"] else -1
    return min((s["steps"][-1] if s["steps"] else -1 for s in full.get("series", ())), default=-1)


def _digest(full: dict[str, Any], step: int) -> str:
    known = {k: v for k, v in _part(full, step, after=False).items() if k not in ANEW}
    text = json.dumps(known, default=bytes.hex, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _part(value: dict[str, Any], step: int, *, after: bool, cut: slice = slice(None)) -> Any:
    if "steps" in value:
        held = bisect.bisect_right(value["steps"], step)
        cut = slice(held, None) if after else slice(0, held)
    out: dict[str, Any] = {}
    for name, field in value.items():
        if name in ANEW or name in WHOLE:
            out[name] = field
        elif isinstance(field, dict):
            out[name] = _part(field, step, after=after, cut=cut)
        elif isinstance(field, list) and field and isinstance(field[0], dict):
            out[name] = [_part(item, step, after=after, cut=cut) for item in field]
        else:
            out[name] = field[cut] if isinstance(field, list) else field
    return out
