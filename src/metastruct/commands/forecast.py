"""Forecast a member that was saved: states over time with their standard deviations, as a table and a picture.

metastruct forecast member.safetensors --from 0.3,0.0 --until 30 [--every 0.1] [--begin 0] [--std 0.01,0.02]
                                       [--inputs torque.csv] [--output forecast.csv] [force=true]
                                       [--work 2]

--std is that of the errors of the start; without it the start is exact. --output - prints the table alone; a table or
picture that is there already is replaced by force=true alone. A member that is driven needs --inputs, a table of one
trajectory with the time and the columns of the inputs; before and after its instants they stay as they are, and between
them they are held or joined by lines as in the training. --work is how many times the usual million steps it may take.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from metastruct.commands import allowed_work, destination, numbers, parsed, whole
from metastruct.data.tables.layout import Layout
from metastruct.data.trajectory import Array

PLACES = ("FILE",)
FLAGS = {"--from": "0.3,0.0", "--until": "30", "--every": "0.1", "--begin": "0", "--std": "0.01,0.02"}
FLAGS |= {"--inputs": "torque.csv", "--output": "forecast.csv", "force": "true", "--work": "2"}
INSTANTS, MOST = 300, 1_000_000


def main(words: Sequence[str]) -> None:
    """Forecast, write and draw."""
    (file,), flags = parsed(words, "forecast", FLAGS, PLACES)
    for flag in ("--from", "--until"):
        if flag not in flags:
            raise ValueError(f"forecast needs {flag} such as {flag} {FLAGS[flag]}, got none")
    start = numbers("--from", flags["--from"])
    (until,), (begin,) = numbers("--until", flags["--until"], 1), numbers("--begin", flags.get("--begin", "0"), 1)
    if until <= begin:
        raise ValueError(f"--until must be after the start at {begin:g}, got {until:g}")
    (every,) = numbers("--every", flags.get("--every", repr((until - begin) / INSTANTS)), 1)
    if not 0 < every <= until - begin or (until - begin) / every > MOST:
        raise ValueError(f"--every must be above 0 and give from 2 to {MOST:,} instants, got {every:g}")
    work = allowed_work(flags)
    if not Path(file).is_file():
        raise ValueError(f"{file} must be a file that metastruct adapt or member.save wrote, got none")
    output = Path(flags.get("--output", Path(file).with_name("forecast-of-member.csv")))
    if str(output) != "-":
        if output.suffix == ".png":
            raise ValueError(f"--output must be the name of a table such as {FLAGS['--output']}, got {output}")
        for place in (output, output.with_suffix(".png")):
            destination("--output", place, flags)
    import numpy as np
    import torch

    from metastruct.api.loading import load_member
    from metastruct.evaluation.figures.along import Along, draw, table, written
    from metastruct.running.tracking.console import working

    torch.set_num_threads(1)  # as of metastruct adapt
    member = load_member(file, work)
    layout = member.model.layout
    inputs = driving(file, layout, flags.get("--inputs"))
    if len(start) != len(layout.states):
        raise ValueError(f"--from must be {', '.join(layout.states)}, {len(layout.states)} numbers, got {len(start)}")
    std = numbers("--std", flags["--std"], len(start), 0.0) if "--std" in flags else None
    times = begin + every * np.arange(round(np.floor((until - begin) / every * (1 + 1e-12))) + 1)
    quietly = nullcontext() if str(output) == "-" else working(f"forecasting {len(times)} instants")
    with quietly, warnings.catch_warnings(record=True) as doubts:
        warnings.simplefilter("always")
        if member.covariance is None and std is None:
            states, deviation = member.forecast(start, times, inputs=inputs), None
        else:
            states, deviation = member.forecast(start, times, std=True, start_std=std, inputs=inputs)
    for doubt in doubts:
        print(f"note: {doubt.message}", file=sys.stderr)
    if not np.isfinite(states).all():
        raise ValueError(
            f"the forecast from {flags['--from']} leaves the finite numbers; begin nearer, or ask for less"
        )
    every_one = [Along("", "", times, states, deviation)]
    if str(output) == "-":
        sys.stdout.write(table(every_one, layout))
        return
    with whole(output, output.with_suffix(".png")):
        written(every_one, layout, output)
        draw(every_one, layout, output.with_suffix(".png"))
    print(f"{len(times)} instants in {output}, picture in {output.with_suffix('.png')}")


def driving(file: str, layout: Layout, path: str | None) -> tuple[Array, Array] | None:
    """Instants `[instants]` and inputs there `[instants, input]` of a table; None where nothing drives the member.

    Raises:
        ValueError: there is a table and nothing is driven, or none and something is, or it holds several trajectories.
    """
    if path is None and not layout.inputs:
        return None
    if path is None or not layout.inputs:
        driven = f"is driven by {', '.join(layout.inputs) or 'nothing'}"
        raise ValueError(f"{file} {driven}; {'leave --inputs out' if path else 'give it --inputs FILE'}")
    from metastruct.data.family import Family

    names = {"member": layout.member, "trajectory": layout.trajectory, "time": layout.time}
    every = [one for member in Family.from_files(path, layout.inputs, **names).members for one in member.trajectories]
    if len(every) != 1:
        raise ValueError(f"{path} must hold the inputs of one trajectory, got {len(every)}")
    return every[0].times, every[0].states
