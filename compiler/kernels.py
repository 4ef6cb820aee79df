"""Quantum kernels for support vector machines: one compiled circuit, the whole kernel matrix as one batch."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..frontends import builder
from ..frontends.feature_maps import FeatureMap, feature_map
from ..frontends.kernels import kernel_module
from ..ir import Circuit, InputError
from .api import compile
from .bundle import Bundle

if TYPE_CHECKING:
    from torch import Tensor


class QuantumKernel:
    """K(x, z) = |<0| U^dag(x) U(z) |0>|^2 of a feature map U, for scikit-learn and torch.

    map: a `FeatureMap` (`qsc.zz_feature_map(2)`), or a circuit whose data inputs are the features. target: what it is
    compiled for, at the first use; None computes with the interpreter, exactly. options: further keywords of
    `qsc.compile`.

    Example::

        kernel = qsc.QuantumKernel(qsc.zz_feature_map(2), target="fake_torino")
        classifier = sklearn.svm.SVC(kernel="precomputed").fit(kernel(train), labels)
        classifier.predict(kernel(test, train))

    Raises InputError for a map that is none, and what `qsc.compile` and `Bundle.run` raise.
    """

    def __init__(self, map: FeatureMap | builder.Circuit | Circuit, target: str | None = None, **options: Any) -> None:
        self.map = feature_map(map)
        self.target = target
        self.options = options
        self.module = kernel_module(self.map)
        self.circuits = 0
        """How many circuits the last matrix took."""

    @cached_property
    def bundle(self) -> Bundle:
        """The compiled kernel: inputs x and z (batch, features), output (batch,)."""
        if self.target is None:
            raise InputError.of("T0001", "this kernel has no target", help='QuantumKernel(map, target="fake_torino")')
        return compile(self.module, self.target, **self.options)

    def __call__(self, x: Any, z: Any = None, **run: Any) -> np.ndarray:
        """The matrix K[i, j] = K(x_i, z_j) of samples (n, features) and (m, features), as a float64 array (n, m).

        Without z the matrix of x with itself: symmetric, its diagonal 1 by definition, so that n (n - 1) / 2 circuits
        are run. All of them are one batch. run: `shots`, `noise` and `seed` as `Bundle.run` takes them; with a target
        only.
        """
        left = self._samples(x)
        if z is not None:
            right = self._samples(z)
            a, b = (k.ravel() for k in np.indices((len(left), len(right))))
            return self._pairs(left[a], right[b], run).reshape(len(left), len(right))
        a, b = np.triu_indices(len(left), 1)
        out = np.eye(len(left))
        out[a, b] = out[b, a] = self._pairs(left[a], left[b], run)
        return out

    def values(self, x: Tensor, z: Tensor) -> Tensor:
        """K(x_k, z_k) for pairs of rows, (batch,), exact and differentiable, by the interpreter."""
        from ..ir.interpreter import evaluate

        return evaluate(self.module, [x, z], precision="f64")[0]

    def _pairs(self, x: np.ndarray, z: np.ndarray, run: dict[str, Any]) -> np.ndarray:
        self.circuits = len(x)
        if self.target is not None or run:
            return np.asarray(self.bundle.run(x, z, **run), np.float64)
        from ..ir.interpreter import evaluate

        return evaluate(self.module, [x, z], precision="f64")[0].numpy()

    def _samples(self, x: Any) -> np.ndarray:
        samples = np.asarray(x, np.float64)
        if samples.ndim != 2 or samples.shape[1] != self.map.features:
            raise InputError.of(
                "R0001",
                f"samples of shape {samples.shape} are not rows of {self.map.features} features",
                self.map.circuit.place,
            )
        return samples
