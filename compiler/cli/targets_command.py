"""qsc targets"""

from __future__ import annotations

import click

from .common import json_option, print_json

EPILOG = """Example:

\b
  qsc targets
  qsc targets --all
"""


@click.command("targets", epilog=EPILOG)
@click.option("--all", "everything", is_flag=True, help="Every device of every family, where its extra is installed.")
@json_option
def command(everything: bool, as_json: bool) -> None:
    """List the targets: a name, or a prefix that stands for a family of devices."""
    from ...backends.feasibility import summaries
    from ...ir import MissingError
    from .. import registry

    rows = [(name, registry.TARGETS.load(name).summary) for name in registry.TARGETS.entries]
    rows += [(prefix + "...", summary) for prefix, (_, summary) in registry.FAMILIES.items()]
    rows += [(name, f"{summary} (for qsc check alone)") for name, summary in summaries().items()]
    rows.append(("FILE.toml", "a chip of your own, described in a file"))
    if everything:
        from ...backends.qiskit.devices import names
        from ...backends.tket.devices import names as tket_names

        try:
            rows += [*names(), *tket_names()]
        except MissingError as missing:
            click.echo(missing.diagnostics[0].render(), err=True)
    if as_json:
        print_json([{"name": name, "summary": summary} for name, summary in rows])
    else:
        width = max(len(name) for name, _ in rows) + 2
        click.echo("\n".join(f"{name:<{width}}{summary}" for name, summary in rows))
