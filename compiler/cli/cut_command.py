"""qsc cut plan"""

from __future__ import annotations

from pathlib import Path

import click

from ..passes.base import EFFORTS
from .common import PATH, json_option, print_json, readout_option, seed_option

EPILOG = """Example:

\b
  qsc cut plan examples/24-distributed-qcnn/model.py --max-qubits 5 --no-reuse
  qsc cut plan circuit.qasm --readout "Z0, Z1*Z2" --devices 5,4,7 --target fake_torino
"""


@click.group("cut", epilog=EPILOG)
def command() -> None:
    """Circuit cutting without a compile."""


@command.command("plan", epilog=EPILOG)
@click.argument("model", type=PATH)
@click.option("--max-qubits", type=click.IntRange(min=1), help="Most qubits of a fragment.")
@click.option("--devices", help="Qubits of every device, as in 5,4,7: each takes one fragment.")
@click.option("--target", "-t", help="Target whose operations say whether qubits are reused and gates cut.")
@click.option("--reuse/--no-reuse", default=True, show_default=True, help="Prefer qubit reuse where it is enough.")
@click.option("--gate-cuts/--no-gate-cuts", default=True, show_default=True, help="Cut gates beside wires.")
@click.option("--entry", help="Object or function in the Python file that is or makes the model.")
@click.option("--input-shape", help="Shape of one input without the batch.")
@readout_option
@click.option("--effort", type=click.Choice(EFFORTS), default="default", show_default=True, help="How much is tried.")
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0.0, min_open=True),
    help="Seconds to search for each readout's cuts; results then depend on the machine. Without it: as much as "
    "the effort says.",
)
@seed_option
@json_option
def plan(
    model: Path,
    max_qubits: int | None,
    devices: str | None,
    target: str | None,
    reuse: bool,
    gate_cuts: bool,
    entry: str | None,
    input_shape: str | None,
    readout: str | None,
    effort: str,
    time_limit: float | None,
    seed: int,
    as_json: bool,
) -> None:
    """Print the cheapest cuts of MODEL's circuits for fragments of a width, where they are, what they cost, and why."""
    from ..driver import Options
    from ..inspection import cut_plan
    from ..passes.cut import FindCuts
    from .compile_command import parse_shape

    if not max_qubits and not devices:
        raise click.UsageError("give --max-qubits N, or --devices with the qubits of each")
    finder = FindCuts(
        max_qubits=max_qubits or 0,
        devices=devices or "",
        reuse=reuse,
        gate_cuts=gate_cuts,
        time_limit=time_limit or 0.0,
    )
    options = Options(
        targets=(), entry=entry, input_shape=parse_shape(input_shape), readout=readout, effort=effort, seed=seed
    )
    remarks = cut_plan(model, finder, target, options)
    if as_json:
        print_json({"cuts": [r.data for r in remarks if r.data], "remarks": [r.message for r in remarks]})
    else:
        click.echo("\n".join(r.message for r in remarks) or "no circuit is wider than that")
