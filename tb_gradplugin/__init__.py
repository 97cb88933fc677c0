"""Gradients for TensorBoard: see which layers of a Keras model are sick, since when and why."""

from tb_gradplugin.health.report import Finding, HealthReport, Remedy, RunHealth
from tb_gradplugin.health.thresholds import Thresholds

__version__ = "0.1.0"

__all__ = ["Finding", "HealthReport", "Remedy", "RunHealth", "Thresholds", "__version__"]
