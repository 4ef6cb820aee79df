"""qsc run"""

from __future__ import annotations

import io
from pathlib import Path

import click
import numpy as np

from ..spikes import nir_data
from ..spikes.encoders import describe_encoders, parse_encoder
from ..spikes.events import SAME_BIN
from .common import (
    PATH,
    Progress,
    json_option,
    print_json,
    quiet_option,
    scheduler_option,
    seed_option,
    workers_option,
)

ARRAY_FILES = (".npy", ".npz")
EVENT_FILES = (".csv", *nir_data.SUFFIXES)

EPILOG = """Example:

\b
  qsc run build/qcnn --input x.npy -o y.npy
  qsc run build/qcnn --input x.npy --shots 4096 --seed 1
  qsc run build/qcnn --input x.npy --shots 4096 --workers 4 --journal qcnn.journal -o y.npy
  qsc run build/snn --input images.npy --encode "latency{tau=5}" -o spikes.csv

A run that was interrupted goes on from its journal when the same command is given again.
"""


@click.command("run", epilog=EPILOG)
@click.argument("bundle", type=PATH)
@click.option(
    "--input",
    "-i",
    "inputs",
    type=PATH,
    required=True,
    help="Inputs: .npy, or .npz for several, the batch first, in sequences the time before it; or events: .csv, .npz, "
    ".npy records, .h5 of NIR.",
)
@click.option(
    "--output",
    "-o",
    type=PATH,
    help="Where to write the outputs: .npy, .npz for several, or .csv and .h5 (NIR) for events.",
)
@click.option(
    "--encode",
    "encoder",
    metavar="ENCODER",
    help=f"Encode the inputs as spikes: {describe_encoders()}; as latency{{tau=5}}.",
)
@click.option(
    "--dt", type=click.FloatRange(min=0, min_open=True), help="Seconds of one step [default: the neurons' own]."
)
@click.option(
    "--same-bin",
    type=click.Choice(SAME_BIN),
    default="count",
    show_default=True,
    help="Events of one neuron in one step: their values add up, or are clipped to one event.",
)
@click.option("--events", is_flag=True, help="Write the output as events into a .npz or .npy file too.")
@click.option("--shots", type=click.IntRange(min=1), help="Measure this many shots instead of computing exact values.")
@click.option("--noise", is_flag=True, help="Simulate the device's own noise.")
@seed_option
@workers_option
@scheduler_option
@click.option("--journal", type=PATH, help="File that keeps what is finished; a run goes on from it.")
@json_option
@quiet_option
def command(
    bundle: Path,
    inputs: Path,
    output: Path | None,
    encoder: str | None,
    dt: float | None,
    same_bin: str,
    events: bool,
    shots: int | None,
    noise: bool,
    seed: int,
    workers: int | None,
    scheduler: str | None,
    journal: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run BUNDLE on inputs: device parts by the embedded simulator, the rest on the host."""
    from ..bundle import load
    from ..spikes.given import Reading, check_events, read_inputs, write_spikes

    if events and output is None:
        raise click.UsageError("--events says how to write: name a file with -o")
    how = Reading(None if encoder is None else parse_encoder(encoder), dt, same_bin, seed)
    compiled = load(bundle)
    if output is not None:
        _check_name(output, len(compiled.program.graph.outputs))
        if events or output.suffix in EVENT_FILES:
            check_events(compiled.program)
    given, remarks = read_inputs(inputs, compiled.program, how)
    for remark in remarks if not quiet else ():
        click.echo(f"remark: {remark}", err=True)
    with Progress(quiet or as_json) as step:
        outputs = compiled.outputs(
            *given,
            shots=shots,
            noise=noise,
            seed=seed,
            workers=workers,
            scheduler=scheduler,
            journal=journal,
            progress=step,
        )
    for remark in compiled.run_remarks if not quiet else ():
        click.echo(f"remark: {remark}", err=True)
    names = [v.name for v in compiled.program.graph.outputs]
    errors = {name: e for name, e in zip(names, compiled.standard_errors, strict=True) if e is not None}
    if output is not None and (events or output.suffix in EVENT_FILES):
        write_spikes(output, outputs, compiled.program, how)
    elif output is not None:
        _write(output, dict(zip(names, outputs, strict=True)), errors)
    facts = {
        "outputs": {name: list(o.shape) for name, o in zip(names, outputs, strict=True)},
        "counts": compiled.run_counts,
        "largest_standard_errors": {name: float(e.max(initial=0.0)) for name, e in errors.items()},
        "remarks": remarks + compiled.run_remarks,
    }
    if as_json:
        print_json(facts | {"written": str(output) if output else None})
    elif not quiet:
        _summarise(names, outputs, errors, compiled.run_counts, output)


def _check_name(path: Path, outputs: int) -> None:
    """BadParameter where the outputs have no file of this name to go into: before they are computed."""
    known = (*ARRAY_FILES, *EVENT_FILES)
    if path.suffix not in known:
        raise click.BadParameter(f"{path} is none of {', '.join(known)}", param_hint="-o")
    if path.suffix == ".npy" and outputs > 1:
        raise click.BadParameter(f"the model has {outputs} outputs: name a .npz file", param_hint="-o")


def _write(path: Path, outputs: dict[str, np.ndarray], errors: dict[str, np.ndarray]) -> None:
    """The outputs; an .npz also gets the standard errors that are known, as NAME.standard_error."""
    from ..storage import write_file

    buffer = io.BytesIO()
    if path.suffix == ".npz":
        named = {f"{name}.standard_error": error for name, error in errors.items()}
        np.savez(buffer, allow_pickle=False, **outputs, **named)
    else:
        np.save(buffer, next(iter(outputs.values())), allow_pickle=False)
    write_file(path, buffer.getvalue())


def _summarise(
    names: list[str],
    outputs: list[np.ndarray],
    errors: dict[str, np.ndarray],
    counts: dict[str, float],
    written: Path | None,
) -> None:
    for name, array in zip(names, outputs, strict=True):
        click.echo(f"{name}: {array.dtype} {list(array.shape)}")
        if written is None:
            click.echo(np.array2string(array, threshold=64, precision=6))
        if name in errors and written is None:
            click.echo("standard errors:")
            click.echo(np.array2string(errors[name], threshold=64, precision=2))
        elif name in errors:
            click.echo(f"largest standard error: {errors[name].max(initial=0.0):.2g}")
    for key, value in counts.items():
        click.echo(f"{key}: {value:g}")
    if written is not None:
        click.echo(f"written to {written}")
