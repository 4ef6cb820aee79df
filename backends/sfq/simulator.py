"""Runs the emitted Verilog in Icarus Verilog: pulses in, pulses out, and what the cells complained about."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...ir import CheckError, MissingError
from .artifact import Artifact
from .testbench import Schedule, recording

PROGRAMS = ("iverilog", "vvp")

Row = Sequence[tuple[int, int]]
"""The pulses of one input row: (input, time after the clock pulse with the row's number in femtoseconds)."""


@dataclass(frozen=True)
class Fault:
    """Something that pulses must not do. row: the input row of the clock period in which it happened."""

    row: int
    text: str


@dataclass(frozen=True)
class Recording:
    """What came out: bits (rows, outputs), what was wrong with the pulses, how many pulses went in and came out."""

    bits: np.ndarray
    faults: tuple[Fault, ...]
    pulses: int


def find_programs() -> list[str]:
    """Paths of iverilog and vvp. Raises MissingError E0002 where they are not installed."""
    found = [shutil.which(name) for name in PROGRAMS]
    if not all(found):
        raise MissingError.of(
            "E0002", "running pulse logic needs Icarus Verilog, which is not installed", help="apt install iverilog"
        )
    return [path for path in found if path]


def play(artifact: Artifact, rows: Sequence[Row]) -> Recording:
    """Stream the rows back to back, one a clock period, through a simulation of the artifact's Verilog.

    Raises MissingError E0002 without Icarus Verilog, CheckError R0002 where it does not take the Verilog.
    """
    if not rows:
        return Recording(np.zeros((0, len(artifact.names.outputs)), bool), (), 0)
    compiler, simulator = find_programs()
    with tempfile.TemporaryDirectory(prefix="qsc-sfq-") as folder:
        place = Path(folder)
        for name in artifact.sources:
            (place / name).write_bytes(artifact.files[name])
        (place / "driver.v").write_text(recording(artifact.names), encoding="utf-8")
        (place / "pulses.txt").write_text(_pulses(artifact.schedule, rows), encoding="utf-8")
        tops = ["-s", "driver", "-s", "pulse_checks"]
        _call([compiler, "-g2005", *tops, "-o", "sim", "driver.v", *artifact.sources], place)
        text = _call([simulator, "-n", "sim"], place)
    return _decode(artifact.schedule, rows, text, len(artifact.names.outputs))


def _call(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        program = Path(command[0]).name
        said = (done.stderr or done.stdout).strip().splitlines()[:5]
        raise CheckError.of("R0002", f"{program} does not take the emitted Verilog", notes=said)
    return done.stdout


def _pulses(schedule: Schedule, rows: Sequence[Row]) -> str:
    """The file that the driver plays: one line for every time at which pulses come."""
    masks: dict[int, int] = {}
    for number in range(schedule.pulses(len(rows))):
        masks[schedule.start + number * schedule.period] = 1
    for number, row in enumerate(rows):
        clock = schedule.start + number * schedule.period
        for port, offset in row:
            masks[clock + offset] = masks.get(clock + offset, 0) | 2 << port
    return "".join(f"{at} {mask:x}\n" for at, mask in sorted(masks.items()))


def _decode(schedule: Schedule, rows: Sequence[Row], text: str, outputs: int) -> Recording:
    """Every output pulse to the row whose expected time is nearest. One that is more than a quarter of a period off is
    a fault, and so is a second one."""
    bits = np.zeros((len(rows), outputs), bool)
    faults: list[Fault] = []
    count = 0
    for line in text.splitlines():
        word, *fields = line.split()
        if word == "VIOLATION":
            faults.append(_violation(schedule, fields, len(rows)))
            continue
        if word != "PULSE":
            continue
        output, at = int(fields[0]), int(fields[1])
        since = at - schedule.start - schedule.arrivals[output]
        number = (since + schedule.period // 2) // schedule.period
        row = number - schedule.depth
        if not 0 <= row < len(rows):
            continue
        off = since - number * schedule.period
        if 4 * abs(off) > schedule.period:
            faults.append(Fault(row, f"output {output} pulses {off / 1000:+g} ps off its time"))
        elif bits[row, output]:
            faults.append(Fault(row, f"output {output} pulses twice in one clock period"))
        bits[row, output] = True
        count += 1
    return Recording(bits, tuple(faults), count + sum(map(len, rows)))


def _violation(schedule: Schedule, fields: list[str], rows: int) -> Fault:
    path, pin, what, at = fields
    row = (int(at) - schedule.start) // schedule.period
    return Fault(min(max(row, 0), rows - 1), f"{what} at pin {pin} of {path.rsplit('.', 1)[-1]}, {int(at) / 1000:g} ps")
