"""Keras callbacks of Gradients for TensorBoard."""

from .gradient_monitor import GradientMonitor

__all__ = ["GradientMonitor"]
