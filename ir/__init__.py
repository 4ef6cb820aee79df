"""What a program is: types, ops, circuits, netlists, weights, printer, verifier.

numpy and the standard library only."""

from __future__ import annotations

from . import ops
from .circuit import AngleInput, Circuit, CircuitEditor
from .diagnostics import CheckError, Diagnostic, InputError, Location, MissingError, QscError, TargetError
from .graph import Graph, GraphBuilder, Node, Op, TypeFault, Value
from .module import Module
from .netlist import Netlist, NetlistEditor
from .observables import PauliSum, X, Y, Z
from .printer import print_module
from .types import DYNAMIC, Type
from .verifier import verify

__all__ = [
    "DYNAMIC",
    "AngleInput",
    "CheckError",
    "Circuit",
    "CircuitEditor",
    "Diagnostic",
    "Graph",
    "GraphBuilder",
    "InputError",
    "Location",
    "MissingError",
    "Module",
    "Netlist",
    "NetlistEditor",
    "Node",
    "Op",
    "PauliSum",
    "QscError",
    "TargetError",
    "Type",
    "TypeFault",
    "Value",
    "X",
    "Y",
    "Z",
    "ops",
    "print_module",
    "verify",
]
