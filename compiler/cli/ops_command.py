"""qsc ops"""

from __future__ import annotations

import click

from .common import json_option, print_json

EPILOG = """Example:

\b
  qsc ops
  qsc ops --json
"""


@click.command("ops", epilog=EPILOG)
@json_option
def command(as_json: bool) -> None:
    """List what the IR is made of: ops of the graph, gates of a circuit, cells of a netlist."""
    from dataclasses import fields

    from ...ir import Op
    from ...ir.cells import CELLS
    from ...ir.gates import GATES

    ops = [
        {
            "name": name,
            "summary": (op.__doc__ or "").strip().splitlines()[0],
            "attributes": [f.name for f in fields(op)],
        }
        for name, op in sorted(Op.registry.items())
    ]
    gates = [{"name": g.name, "qubits": g.qubits, "angles": g.angles} for g in GATES]
    cells = [{"name": c.name, "inputs": c.inputs, "outputs": c.outputs, "clocked": c.clocked} for c in CELLS]
    if as_json:
        print_json({"ops": ops, "gates": gates, "cells": cells})
        return
    click.echo("ops:")
    for op in ops:
        attributes = f" [{', '.join(op['attributes'])}]" if op["attributes"] else ""
        click.echo(f"  {op['name']:<20}{op['summary']}{attributes}")
    click.echo("gates (qubits, angles; - is any number):")
    for gate in gates:
        click.echo(f"  {gate['name']:<12}{'-' if gate['qubits'] < 0 else gate['qubits']}, {gate['angles']}")
    click.echo("cells:")
    for cell in cells:
        click.echo(f"  {cell['name']:<12}({', '.join(cell['inputs'])}) -> ({', '.join(cell['outputs'])})")
