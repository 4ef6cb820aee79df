"""qsc env"""

from __future__ import annotations

import click

from .common import Progress, json_option, print_json, quiet_option

EPILOG = """Example:

\b
  qsc env list
  qsc env create lava
  qsc env remove lava

\b
They live under $QSC_ENVIRONMENTS, or else in the user's data folder.
Exit codes: 0 done; 2 there is no such environment; 4 a Python that it needs is missing, or it cannot be made.
"""


@click.group("env", epilog=EPILOG)
def command() -> None:
    """Environments for tools that need packages of their own: checks from outside run in them."""


@command.command("create")
@click.argument("name")
@quiet_option
def create(name: str, quiet: bool) -> None:
    """Make environment NAME, with every package at a pinned version."""
    from ...bridges import environments

    with Progress(quiet) as step:
        place = environments.create(name, step)
    if not quiet:
        click.echo(place)


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the environments that can be made, and those that are there."""
    from ...bridges import environments

    table = environments.read_table()
    rows = [{"name": s.name, "state": environments.state(s), "summary": s.summary} for s in table.values()]
    if as_json:
        print_json([{**row, "licence": table[row["name"]].licence} for row in rows])
        return
    width = max(len(row["name"]) for row in rows) + 2
    click.echo("\n".join(f"{row['name']:<{width}}{row['state']:<8}{row['summary']}" for row in rows))
    click.echo(f"in {environments.folder()}: NAME/bin/python is the Python of one")


@command.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    """Remove environment NAME."""
    from ...bridges import environments

    click.echo(f"{name} is removed" if environments.remove(name) else f"{name} is not there")
