"""The command `qsc`. Each subcommand is a module of this package, loaded when it is called."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from ... import __version__

COMMANDS: dict[str, str] = {
    "compile": "Compile a model for a target, and check the result.",
    "run": "Run a compiled bundle on inputs.",
    "verify": "Check a bundle against its source and the original framework.",
    "check": "Check a bundle for CI: legality on a target, costs against a budget.",
    "cut": "Plan how a circuit that is too wide would be cut.",
    "inspect": "Print the IR of a model or a bundle, before or after any pass.",
    "targets": "List the targets.",
    "passes": "List the passes with their options.",
    "ops": "List the ops and gates of the IR.",
    "env": "Make, list and remove environments for tools that need their own.",
    "version": "Print the versions of qsc and of the libraries it uses.",
}
"""Command -> its summary; `qsc.compiler.cli.NAME_command:command` is the command itself."""

EPILOG = """Example:

\b
  qsc compile examples/digits_qcnn/model.py --target fake_torino -o build/qcnn
  qsc run build/qcnn --input x.npy -o y.npy
  qsc verify build/qcnn

\b
Exit codes: 0 done; 1 a check did not hold; 2 the input is wrong; 3 the target cannot hold the model;
4 the environment lacks something; 70 a fault of qsc itself.
"""


class LazyGroup(click.Group):
    """Shows the table above and imports a subcommand only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return import_module(f"{__name__}.{cmd_name}_command").command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            from ...ir.diagnostics import did_you_mean

            raise click.UsageError(f"there is no command {args[0]!r}: {did_you_mean(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="qsc")
def cli() -> None:
    """Compile trained models to quantum processors, neuromorphic chips and superconducting pulse logic."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command and exit with its code. Faults of the user's input print without a traceback."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """The exit code of one call of the command."""
    try:
        # What a command exits with comes back as a value here; commands return nothing else.
        return cli.main(args=arguments, prog_name="qsc", standalone_mode=False) or 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as fault:
        fault.show()
        return fault.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as fault:  # noqa: BLE001 - the last line of defence: sorts faults of the input from faults of qsc
        return _report(fault)


def _report(fault: Exception) -> int:
    from ...ir.diagnostics import QscError

    if isinstance(fault, QscError):
        click.echo("\n\n".join(d.render() for d in fault.diagnostics), err=True)
        return fault.exit_code
    if os.environ.get("QSC_TRACEBACK"):
        raise fault
    click.echo(
        f"internal fault of qsc {__version__}: {type(fault).__name__}: {fault}\n"
        "  = help: this is not your model's fault; set QSC_TRACEBACK=1 to see where it happened, and report it",
        err=True,
    )
    return 70
