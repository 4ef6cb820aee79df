"""Files of the Neuromorphic Intermediate Representation (NIR): read, checked and written by ourselves.

The package nir (1.0.8) computes the shape of a convolution with a kernel that is not square, or with groups, wrongly,
takes negative time constants and NaN, and cannot write pools and flattens whose shape is not known yet. Importing this
package imports no SDK; reading and writing need h5py.
"""

from .checking import check
from .graph import KINDS, NirGraph, NirNode
from .reading import read
from .shapes import shapes_of
from .writing import write

__all__ = ["KINDS", "NirGraph", "NirNode", "check", "read", "shapes_of", "write"]
