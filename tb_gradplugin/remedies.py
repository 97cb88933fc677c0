"""Remedies that are more than an argument of Keras: gradient standardisation.

Clipping needs nothing of ours: ``clipnorm``, ``global_clipnorm`` and ``clipvalue`` are arguments of
every Keras optimizer.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

FLAT = 1e-6
"""A tensor whose elements deviate by less than this share of its largest one is constant: what is
left after its mean is taken away is rounding."""


def standardise(gradient: Any) -> Any:
    """``(g - mean(g)) / std(g)`` over all elements of one gradient tensor: the scale is gone.

    Unlike with an epsilon under the fraction, 1e-12 is standardised as exactly as 1: the largest
    element is divided out first, so that squares do not underflow either.

    Args:
        gradient: tensor of rank two or more, of more than one element.  Anything else comes back
            as it is: the gradient of a bias of one unit, say, has no deviation, and the bias would
            never change (Yong et al. leave vectors alone as well).

    Returns:
        Dense tensor of the same shape and dtype, of zero mean and unit (population) standard
        deviation; all zero where ``gradient`` is constant.  A NaN or Inf makes all of it NaN.

    References:
        Yong et al., Gradient Centralization, ECCV 2020 (the mean, there by output unit).
    """
    if len(gradient.shape) < 2 or all(n == 1 for n in gradient.shape):
        return gradient
    dense: Any = _dense(gradient)
    dtype = keras.backend.standardize_dtype(dense.dtype)
    g: Any = ops.cast(dense, "float32") if dtype in ("float16", "bfloat16") else dense
    one, zero = ops.ones((), g.dtype), ops.zeros((), g.dtype)
    largest = ops.max(ops.abs(g))
    g = g / ops.where(ops.equal(largest, zero), one, largest)
    g = g - ops.mean(g)
    deviation = ops.sqrt(ops.mean(ops.square(g)))
    flat = ops.less(deviation, ops.cast(FLAT, g.dtype))  # False for NaN, which stays visible
    out = ops.where(flat, ops.zeros_like(g), g / ops.where(flat, one, deviation))
    return ops.cast(out, dtype)


def _dense(gradient: Any) -> Any:
    if type(gradient).__name__ == "IndexedSlices":  # TensorFlow's, of an embedding
        import tensorflow as tf

        return tf.convert_to_tensor(gradient)
    return ops.convert_to_tensor(gradient, sparse=False)


@keras.saving.register_keras_serializable("tb_gradplugin")
class StandardisedOptimizer(keras.optimizers.Optimizer):
    """Any Keras optimizer, given gradients of zero mean and unit deviation a tensor.

    ::

        model.compile(StandardisedOptimizer(keras.optimizers.SGD(1e-3)), loss=...)

    How large a gradient arrives in a layer then no longer decides how fast it learns; the learning
    rate alone does.  Kernels and embedding tables are standardised, biases and scales (rank below
    two) are not: see ``standardise``.  It comes before what the inner optimizer does: accumulation,
    clipping, momentum, weight decay.  The sparse gradient of an embedding becomes dense, so that
    all backends do the same.  Under ``tf.distribute`` each replica standardises its own gradient,
    as Keras clips.

    Works on every backend, is saved and loaded with the model (import this module first), and a
    ``GradientMonitor`` sees the gradients as the loss produced them.

    Args:
        inner_optimizer: the optimizer that gets the standardised gradients; a fixed
            ``loss_scale_factor`` of it is taken over.
        name: name of the wrapper.

    Raises:
        TypeError: ``inner_optimizer`` is not a Keras optimizer.
        ValueError: ``inner_optimizer`` scales the loss dynamically: that has to come first.
    """

    def __init__(self, inner_optimizer: keras.optimizers.Optimizer, name: str | None = None):
        if not isinstance(inner_optimizer, keras.optimizers.Optimizer):
            raise TypeError(
                f"`inner_optimizer` (={inner_optimizer!r}) must be an instance of "
                "keras.optimizers.Optimizer, such as keras.optimizers.SGD(1e-3)."
            )
        if isinstance(inner_optimizer, keras.optimizers.LossScaleOptimizer):
            raise ValueError(
                f"`inner_optimizer` (={inner_optimizer!r}) must not be a LossScaleOptimizer. Wrap "
                "the other way round: LossScaleOptimizer(StandardisedOptimizer(...))."
            )
        super().__init__(
            learning_rate=0.0, loss_scale_factor=inner_optimizer.loss_scale_factor, name=name
        )
        inner_optimizer.loss_scale_factor = None  # or the standardised gradient would be divided
        self.inner_optimizer = inner_optimizer

    def build(self, variables: Any) -> None:
        """Builds both optimizers."""
        variables = list(variables)
        self.inner_optimizer.build(variables)
        super().build(variables)

    @property
    def variables(self) -> list[Any]:
        """Variables of both optimizers."""
        return self._variables + self.inner_optimizer.variables

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Standardises each of ``grads`` and hands them on."""
        if trainable_variables is not None:
            trainable_variables = list(trainable_variables)
            if not self.built:
                self.build(trainable_variables)
        scale = self.loss_scale_factor
        grads = [g if g is None or scale is None else g / scale for g in grads]
        self.inner_optimizer.apply(
            [None if g is None else standardise(g) for g in grads], trainable_variables
        )

    @property
    def learning_rate(self) -> Any:
        """That of the inner optimizer."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        self.inner_optimizer.learning_rate = learning_rate

    @property
    def iterations(self) -> Any:
        """Those of the inner optimizer."""
        return self.inner_optimizer.iterations

    def finalize_variable_values(self, var_list: Any) -> None:
        """Lets the inner optimizer put its averages in place."""
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict[str, Any]:
        """Name, inner optimizer and the loss scale taken over from it."""
        return {
            "name": self.name,
            "inner_optimizer": keras.saving.serialize_keras_object(self.inner_optimizer),
            "loss_scale_factor": self.loss_scale_factor,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> StandardisedOptimizer:
        """Inverse of ``get_config``."""
        inner = keras.saving.deserialize_keras_object(
            config["inner_optimizer"], custom_objects=custom_objects
        )
        optimizer = cls(inner, name=config["name"])
        optimizer.loss_scale_factor = config["loss_scale_factor"]
        return optimizer
