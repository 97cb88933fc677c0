"""Gradients for TensorBoard: see which layers of a Keras model are sick, since when and why."""

import importlib
from typing import TYPE_CHECKING, Any

from tb_gradplugin.health.report import Finding, HealthReport, Remedy, RunHealth
from tb_gradplugin.health.thresholds import Thresholds

if TYPE_CHECKING:
    from tb_gradplugin.callbacks.gradient_recorder import GradientRecorder
    from tb_gradplugin.preflight import preflight

__version__ = "0.1.0"

__all__ = [
    "Finding",
    "GradientRecorder",
    "HealthReport",
    "Remedy",
    "RunHealth",
    "Thresholds",
    "__version__",
    "preflight",
]


_MODULES = {
    "GradientRecorder": "tb_gradplugin.callbacks.gradient_recorder",
    "preflight": "tb_gradplugin.preflight",
}


def __getattr__(name: str) -> Any:
    """What watches training, when it is asked for: what serves must not import a framework."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = found  # not the module of the same name
    return found
