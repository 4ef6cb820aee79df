"""qsc version"""

from __future__ import annotations

import click

from .common import json_option, print_json

EPILOG = """Example:

\b
  qsc version
"""


@click.command("version", epilog=EPILOG)
@json_option
def command(as_json: bool) -> None:
    """Print the versions of qsc, Python and the libraries that compiled models depend on."""
    import platform
    import shutil

    from ... import __version__
    from ..environment import tool_versions

    facts = {"qsc": __version__, "python": platform.python_version(), **tool_versions()}
    facts["iverilog"] = "found" if shutil.which("iverilog") else "not found"
    if as_json:
        print_json(facts)
    else:
        click.echo("\n".join(f"{name:<20}{version}" for name, version in facts.items()))
