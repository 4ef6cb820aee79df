"""qsc compile"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from .. import registry
from ..options import option_fields, option_type
from ..passes.base import EFFORTS
from .common import (
    PATH,
    Progress,
    json_option,
    print_json,
    quiet_option,
    readout_option,
    scheduler_option,
    seed_option,
    workers_option,
)

EPILOG = """Example:

\b
  qsc compile examples/digits_qcnn/model.py --target fake_torino -o build/qcnn
  qsc compile net.py --target nir --passes "fold-batchnorm,quantize-weights{bits=4}" --verify-each
  qsc compile a.py b.py --target fake_torino --workers 2
  qsc compile net.py --target line:8 --sweep max-qubits=3,4,5 --sweep effort=fast,default

Compiling a Python file runs it. With several models, or a sweep, each bundle gets a folder of its own below -o.
"""


class CompileCommand(click.Command):
    """A command that has every option of every pass as a flag too."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *pass_options()]


def pass_options() -> list[click.Option]:
    """One flag for every option name that a pass declares; all passes with that option get the value."""
    owners: dict[str, list[str]] = {}
    kinds: dict[str, type] = {}
    for name in registry.pass_names():
        pass_class = registry.PASSES.load(name)
        for option, field in option_fields(pass_class).items():
            owners.setdefault(option, []).append(name)
            kinds.setdefault(option, option_type(pass_class, field))
    return [
        click.Option(
            [
                f"--{option}/--no-{option}" if kinds[option] is bool else f"--{option}",
                f"pass_{option.replace('-', '_')}",
            ],
            default=None,
            type=None if kinds[option] is bool else kinds[option],
            metavar=None if kinds[option] is bool else "VALUE",
            help=f"Option of {', '.join(names)} (see qsc passes).",
        )
        for option, names in sorted(owners.items())
    ]


def parse_settings(pairs: tuple[str, ...], flags: dict[str, Any]) -> dict[str, str]:
    """`--set key=value` and the passes' own flags as one table."""
    settings: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise click.BadParameter(f"{pair!r} has no value", param_hint="--set key=value")
        settings[key] = value
    given = {key.removeprefix("pass_"): value for key, value in flags.items() if value is not None}
    return settings | {key.replace("_", "-"): str(value) for key, value in given.items()}


def parse_shape(text: str | None) -> tuple[int, ...] | None:
    """`1,8,8` or `1x8x8` as numbers."""
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.replace("x", ",").split(",") if part.strip())
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a shape such as 1,8,8", param_hint="--input-shape") from None


@click.command("compile", cls=CompileCommand, epilog=EPILOG)
@click.argument("models", metavar="MODEL...", type=PATH, nargs=-1, required=True)
@click.option(
    "--target", "-t", "targets", multiple=True, required=True, help="Target name or .toml file; one of each kind."
)
@click.option("--output", "-o", type=PATH, default=None, help="Folder of the bundle [default: build/MODEL].")
@click.option("--entry", help="Object or function in the Python file that is or makes the model [default: model].")
@click.option("--input-shape", help="Shape of one input without the batch, where the file has no example_input.")
@click.option("--dt", type=float, help="Seconds of a step, for a .nir file that does not say it [default: 1e-4].")
@readout_option
@click.option("--calibration", type=PATH, help="Inputs (.npy, .npz) to check on instead of the file's example_input.")
@click.option(
    "--weights", type=click.Choice(["bake", "keep"]), default="bake", help="Bake trained angles, or keep them."
)
@click.option("--passes", help='Passes instead of the target\'s own, e.g. "light-cone,quantize-weights{bits=4}".')
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="An option of a pass, as option or pass.option."
)
@click.option("--max-error", type=float, default=0.0, help="Largest error that verification accepts [default: 1e-9].")
@click.option(
    "--strict", is_flag=True, help="Refuse what the target does not run itself, instead of leaving it to the host."
)
@click.option("--verify-each", is_flag=True, help="Check every pass's contract with the interpreter.")
@click.option("--no-verify", is_flag=True, help="Do not check the compiled model.")
@click.option("--keep-stages", is_flag=True, help="Keep the module after every pass in the bundle.")
@click.option("--dump-dir", type=PATH, help="Write the module after every pass, and a trace, to this folder.")
@click.option("--print-after", multiple=True, metavar="PASS", help="Print the module after this pass.")
@click.option("--print-after-all", is_flag=True, help="Print the module after every pass.")
@click.option(
    "--effort",
    type=click.Choice(EFFORTS),
    default="default",
    show_default=True,
    help="How much is tried for a better result.",
)
@seed_option
@click.option("--sweep", "sweeps", multiple=True, metavar="OPTION=V,V,...", help="Compile once for each value.")
@workers_option
@scheduler_option
@json_option
@quiet_option
@click.pass_context
def command(
    context: click.Context,
    models: tuple[Path, ...],
    targets: tuple[str, ...],
    output: Path | None,
    entry: str | None,
    input_shape: str | None,
    dt: float | None,
    readout: str | None,
    calibration: Path | None,
    weights: str,
    passes: str | None,
    settings: tuple[str, ...],
    max_error: float,
    strict: bool,
    verify_each: bool,
    no_verify: bool,
    keep_stages: bool,
    dump_dir: Path | None,
    print_after: tuple[str, ...],
    print_after_all: bool,
    effort: str,
    seed: int,
    sweeps: tuple[str, ...],
    workers: int | None,
    scheduler: str | None,
    as_json: bool,
    quiet: bool,
    **flags: Any,
) -> int:
    """Compile MODEL (.py, .pt2, .qsc, .qasm, .qpy, .nir, or .json of pytket) for a target, check the result and write
    the bundle."""
    from ..driver import Options, compile_model
    from ..execution.compilations import bundle_name
    from ..manager import Watch

    model, *more = models
    if more or sweeps or workers or scheduler:
        return _many(context, models, sweeps, output, (workers, scheduler), as_json, quiet)

    for name in print_after:
        registry.PASSES.load(name)
    options = Options(
        targets=targets,
        entry=entry,
        input_shape=parse_shape(input_shape),
        readout=readout,
        calibration=calibration,
        weights=weights,
        passes=passes,
        settings=parse_settings(settings, flags),
        strict=strict,
        verify=not no_verify,
        verify_each=verify_each,
        keep_stages=keep_stages,
        max_error=max_error,
        effort=effort,
        seed=seed,
        dt=dt,
    )
    with Progress(quiet or as_json) as step:
        step(f"read {model}")
        watch = Watch(
            show=_show,
            print_after=frozenset(["*"] if print_after_all else print_after),
            dump_dir=dump_dir,
            progress=step,
        )
        bundle = compile_model(model, options, watch=watch)
        folder = bundle.save(output or Path("build") / bundle_name(model))
    if as_json:
        print_json(bundle.manifest | {"folder": str(folder)})
    elif not quiet:
        click.echo(bundle.report() + f"written to {folder}")
    if quiet or as_json:
        _warn(str(folder), bundle.manifest)
    return 0


def _warn(folder: str, manifest: Mapping[str, Any]) -> None:
    """Say on stderr, where no report is printed, that a bundle is for the host alone."""
    from ..report import idle_notice

    if notice := idle_notice(manifest):
        click.echo(f"warning: {folder}: {notice}; --strict refuses this and says why", err=True)


_OWN = frozenset(("models", "output", "sweeps", "workers", "scheduler", "as_json", "quiet"))
"""Parameters that many compilations have in common; the others go to each."""

_APART = ("dump_dir", "print_after", "print_after_all")
"""Those that make sense for one compilation alone."""


def _many(
    context: click.Context,
    models: Sequence[Path],
    sweeps: Sequence[str],
    output: Path | None,
    where: tuple[int | None, str | None],
    as_json: bool,
    quiet: bool,
) -> int:
    """The largest exit code of all compilations."""
    from ..execution.compilations import compile_all, jobs_of
    from ..report import show_cost

    given = [p for p in context.command.get_params(context) if _is_given(context, p) and p.name not in _OWN]
    alone = [p.opts[0] for p in given if p.name in _APART]
    if alone:
        raise click.UsageError(f"{alone[0]} is for one model at a time")
    arguments = [word for p in given for word in _words(p, context.params[p.name or ""])]
    known = [name for p in context.command.get_params(context) for name in p.opts if p.name not in _OWN]
    for sweep in sweeps:
        name = f"--{sweep.partition('=')[0].removeprefix('--')}"
        if name not in known:
            raise click.NoSuchOption(name, possibilities=get_close_matches(name, known), ctx=context)
    jobs = jobs_of(models, sweeps, arguments, output or Path("build"))
    with Progress(quiet or as_json) as step:
        outcomes = compile_all(jobs, *where, step)
    if as_json:
        rows = [{"name": o.job.name, "exit_code": o.code, "message": o.message} | o.manifest for o in outcomes]
        print_json(rows)
    for outcome in outcomes if not as_json else ():
        if outcome.code:
            click.echo(f"{outcome.job.name}:\n{outcome.message}\n", err=True)
        elif not quiet:
            costs = ", ".join(f"{key} {show_cost(key, value)}" for key, value in outcome.manifest["costs"].items())
            click.echo(f"{outcome.job.folder}: {costs}")
        if not outcome.code:
            _warn(str(outcome.job.folder), outcome.manifest)
    return max(o.code for o in outcomes)


def _is_given(context: click.Context, parameter: click.Parameter) -> bool:
    return context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE


def _words(parameter: click.Parameter, value: Any) -> list[str]:
    """The words of a command line that give an option its value."""
    name = max(parameter.opts, key=len)
    if isinstance(parameter, click.Option) and parameter.is_flag:
        return [name if value else parameter.secondary_opts[0]]
    return [word for one in (value if parameter.multiple else [value]) for word in (name, str(one))]


def _show(name: str, text: str) -> None:
    click.echo(f"# after {name}\n{text}")
