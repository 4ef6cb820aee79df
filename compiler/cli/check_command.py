"""qsc check"""

from __future__ import annotations

from pathlib import Path

import click

from .common import PATH, quiet_option

EPILOG = """Example:

\b
  qsc check build/qcnn --target fake_torino
  qsc check build/qcnn --budget budget.toml --format junit > report.xml
  qsc check build/snn --target speck

\b
A budget file has a line for every cost that is limited, by its greatest value or by a range:
  two_qubit_gates = 20
  predicted_fidelity = {min = 0.9}

\b
Exit codes: 0 all holds; 1 an artifact is illegal or a cost is outside its budget; 2 the input is wrong.
"""


@click.command("check", epilog=EPILOG)
@click.argument("bundle", type=PATH)
@click.option("--target", help="Check against this target in place of the bundle's own.")
@click.option("--budget", type=PATH, help="Limits of the costs: a TOML file.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "junit", "sarif"]),
    default="text",
    show_default=True,
    help="How to print what was found.",
)
@quiet_option
def command(bundle: Path, target: str | None, budget: Path | None, form: str, quiet: bool) -> None:
    """Check BUNDLE for CI: is every artifact legal on the target as it stands, and are the costs within a budget.

    Circuits: native gates, couplings and their directions, angle ranges, control flow, reset, measurement in the
    middle, numbers of qubits and bits. Other artifacts: ops and limits of the target. --target xylo, speck or
    spinnaker2 tells whether a network of neurons could run there, by the chip's published rules.
    """
    from ..bundle import load
    from ..check import check_bundle
    from ..check_formats import FORMATS
    from ..environment import naming_extras

    with naming_extras():
        outcome = check_bundle(load(bundle), bundle.as_posix(), target, budget)
    if not quiet:
        click.echo(FORMATS[form](outcome))
    if not outcome.passed:
        raise click.exceptions.Exit(1)
