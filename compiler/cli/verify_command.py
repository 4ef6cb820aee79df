"""qsc verify"""

from __future__ import annotations

from pathlib import Path

import click

from .common import PATH, json_option, print_json, quiet_option, scheduler_option, workers_option

EPILOG = """Example:

\b
  qsc verify build/qcnn
  qsc verify build/snn --importer snntorch
"""


@click.command("verify", epilog=EPILOG)
@click.argument("bundle", type=PATH)
@click.option(
    "--importer",
    help="Also run the artifact by this framework and compare. nir: snntorch, norse, sinabs, spikingjelly, rockpool, "
    "or all, and model:NAME for a model of what NAME is known to do; loihi: lava.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the fresh inputs.")
@workers_option
@scheduler_option
@json_option
@quiet_option
def command(
    bundle: Path,
    importer: str | None,
    seed: int,
    workers: int | None,
    scheduler: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Check BUNDLE: against the original framework's outputs, against the source on fresh inputs, and on the device's
    own terms. Exit code 1 where a check does not hold."""
    from ..bundle import load

    compiled = load(bundle)
    outcome = compiled.verify(seed=seed, importer=importer, workers=workers, scheduler=scheduler)
    if as_json:
        print_json(outcome.to_json())
    elif not quiet:
        click.echo(str(outcome))
    outcome.require(str(bundle))
