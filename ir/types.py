"""Types of graph values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DYNAMIC = -1
"""The batch dimension: its size is known when the program runs. All `?` of a module are equal."""

DTYPES: dict[str, np.dtype] = {
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
    "i8": np.dtype(np.int8),
    "i16": np.dtype(np.int16),
    "i32": np.dtype(np.int32),
    "i64": np.dtype(np.int64),
    "bit": np.dtype(np.bool_),
    "spike": np.dtype(np.float32),
}
"""Element types. `spike` is an event value (0 or 1 for binary spikes) carried as a float; `bit` is a logic value."""

FLOATS = ("f32", "f64")


@dataclass(frozen=True, slots=True)
class Type:
    """Element type and shape of a value, for example `f32[?,8]`; the shape of a scalar is `()`, printed `f32[]`."""

    dtype: str
    shape: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join('?' if d == DYNAMIC else str(d) for d in self.shape)}]"

    @property
    def is_float(self) -> bool:
        return self.dtype in FLOATS

    @property
    def is_numeric(self) -> bool:
        """Whether arithmetic is defined on it: floats and spikes."""
        return self.dtype in FLOATS or self.dtype == "spike"

    @property
    def batched(self) -> bool:
        return DYNAMIC in self.shape

    def with_shape(self, shape: tuple[int, ...]) -> Type:
        return Type(self.dtype, shape)


def dtype_name(dtype: np.dtype | type) -> str:
    """The IR name of a numpy element type (`bool` is `bit`); KeyError for a type the IR does not have."""
    wanted = np.dtype(dtype)
    for name, known in DTYPES.items():
        if known == wanted and name != "spike":
            return name
    raise KeyError(str(wanted))
