"""qsc inspect"""

from __future__ import annotations

from pathlib import Path

import click

from .common import PATH, print_json, readout_option

EPILOG = """Example:

\b
  qsc inspect examples/digits_qcnn/model.py
  qsc inspect examples/digits_qcnn/model.py --target fake_torino --after cancel-gates
  qsc inspect build/qcnn
"""


@click.command("inspect", epilog=EPILOG)
@click.argument("subject", metavar="MODEL|BUNDLE", type=PATH)
@click.option("--target", "-t", help="Target whose pipeline to run, where the subject is a model.")
@click.option("--after", metavar="PASS", help="Show the module after this pass.")
@click.option("--before", metavar="PASS", help="Show the module before this pass.")
@click.option("--passes", help="Passes instead of the target's own.")
@click.option("--entry", help="Object or function in the Python file that is or makes the model.")
@click.option("--input-shape", help="Shape of one input without the batch.")
@readout_option
@click.option("--format", "form", type=click.Choice(["text", "json", "dot"]), default="text", show_default=True)
def command(
    subject: Path,
    target: str | None,
    after: str | None,
    before: str | None,
    passes: str | None,
    entry: str | None,
    input_shape: str | None,
    readout: str | None,
    form: str,
) -> None:
    """Print the IR of a model as the frontend reads it, or before or after any pass of a target's pipeline; or of a
    compiled bundle (its stages need `qsc compile --keep-stages`)."""
    from ...ir import InputError, print_module
    from ...ir.diagnostics import did_you_mean
    from ..inspection import stages_of_bundle, stages_of_model, to_dot, to_facts
    from .compile_command import parse_shape

    if after and before:
        raise click.UsageError("give --after or --before, not both")
    if subject.is_dir():
        stages = stages_of_bundle(subject)
    else:
        if (after or before or passes) and not target:
            raise click.UsageError("a model's stages depend on the target: give --target too")
        stages = stages_of_model(subject, target, passes, entry, parse_shape(input_shape), readout)
    names = [name for name, _ in stages]
    wanted = after or before
    if wanted and wanted not in names:
        hint = "compile with --keep-stages" if subject.is_dir() else did_you_mean(wanted, names)
        raise InputError.of("O0001", f"there is no stage {wanted!r} here", help=f"{hint} (stages: {', '.join(names)})")
    index = len(names) - 1 if not wanted else names.index(wanted) - (1 if before else 0)
    module = stages[max(index, 0)][1]
    if form == "json":
        print_json(to_facts(module) | {"stage": names[max(index, 0)], "stages": names})
    else:
        click.echo(to_dot(module) if form == "dot" else print_module(module), nl=False)
