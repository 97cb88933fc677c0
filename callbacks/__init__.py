"""What watches training: a Keras callback, and a recorder for loops without ``fit``."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .gradient_monitor import GradientMonitor
    from .gradient_recorder import GradientRecorder

__all__ = ["GradientMonitor", "GradientRecorder"]
_MODULES = {"GradientMonitor": "gradient_monitor", "GradientRecorder": "gradient_recorder"}


def __getattr__(name: str) -> Any:
    """A class when it is asked for: a loop of plain PyTorch must not import Keras's backend."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found
