"""Gradients for TensorBoard: see which layers of a Keras model are sick, since when and why."""

from typing import TYPE_CHECKING, Any

from tb_gradplugin.health.report import Finding, HealthReport, Remedy, RunHealth
from tb_gradplugin.health.thresholds import Thresholds

if TYPE_CHECKING:
    from tb_gradplugin.preflight import preflight

__version__ = "0.1.0"

__all__ = [
    "Finding",
    "HealthReport",
    "Remedy",
    "RunHealth",
    "Thresholds",
    "__version__",
    "preflight",
]


def __getattr__(name: str) -> Any:
    """``preflight`` when it is asked for: what serves must not import Keras."""
    if name != "preflight":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import tb_gradplugin.preflight as module

    globals()[name] = module.preflight  # not the module of the same name
    return module.preflight
