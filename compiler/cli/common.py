"""Options and output that several subcommands share."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

PATH = click.Path(path_type=Path)

json_option = click.option("--json", "as_json", is_flag=True, help="Print the same facts as JSON.")
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")
seed_option = click.option("--seed", type=int, default=0, show_default=True, help="Seed of everything random.")
readout_option = click.option(
    "--readout",
    help='What a circuit file gives: "Z0, Z1*Z2", probs, samples or samples{shots=4096} [default: what it measures].',
)

workers_option = click.option("--workers", type=click.IntRange(min=1), help="Spread the work over so many processes.")
scheduler_option = click.option(
    "--scheduler", metavar="ADDRESS", help="Spread it over the workers of this Dask scheduler (address or .json file)."
)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, indent=1, sort_keys=True))


class Progress:
    """Names the step that runs: a spinner on a terminal, a line a step elsewhere, nothing when quiet."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.start = time.monotonic()
        self._status: Any = None

    def __enter__(self) -> Callable[[str], None]:
        if not self.quiet and sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status("reading")
            self._status.start()
        return self.step

    def step(self, name: str) -> None:
        """A new step begins."""
        if self._status is not None:
            self._status.update(name)
        elif not self.quiet:
            click.echo(f"[{time.monotonic() - self.start:6.1f} s] {name}", err=True)

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()
