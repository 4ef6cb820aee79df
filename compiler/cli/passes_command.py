"""qsc passes"""

from __future__ import annotations

import click

from .common import json_option, print_json

EPILOG = """Example:

\b
  qsc passes
  qsc passes --json
"""


@click.command("passes", epilog=EPILOG)
@json_option
def command(as_json: bool) -> None:
    """List the passes: what each does, what it keeps, its options, and the pipelines that run it."""
    from .. import pipelines, registry
    from ..options import default_of, option_fields, option_type

    rows = []
    for name in registry.pass_names():
        pass_class = registry.PASSES.load(name)
        options = {
            option: {
                "type": option_type(pass_class, field).__name__,
                "default": default_of(field),
            }
            for option, field in option_fields(pass_class).items()
        }
        users = [kind for kind, names in pipelines.PIPELINES.items() if name in {n.rstrip("?") for n in names}]
        summary = (pass_class.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
        rows.append(
            {
                "name": name,
                "summary": " ".join(summary.split()),
                "contract": pass_class.contract.value,
                "options": options,
                "pipelines": users,
            }
        )
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo(f"{row['name']}  (keeps {row['contract']}; in {', '.join(row['pipelines']) or 'no pipeline'})")
        click.echo(f"    {row['summary']}")
        for option, facts in row["options"].items():
            click.echo(f"    --{option} {facts['type']}, default {facts['default']}")
    click.echo("\npipelines:")
    for kind, names in pipelines.PIPELINES.items():
        click.echo(f"  {kind:<14}{', '.join(names)}")
    click.echo("  (a pass with ? runs only where one of its options is set)")
