"""Is it worth it? Held-out members by a run, beside a net, SINDy and a law fitted to each member alone, in one table.

metastruct worth RUN [--law FILE.py:FUNCTION --start 1.0,1.0] [--without sindy,structureless,alone] [--output worth.csv]
                     [force=true]

All get the same support and forecast the same held-out trajectories. The same model without structure is trained
beside. FUNCTION(x, mu) gives dx/dt of states [..., state] with parameters mu, which begin at --start. SINDy needs
pysindy, of the extra `examples`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from metastruct.commands import destination, numbers, parsed

PLACES = ("RUN",)
FLAGS = {"--law": "law.py:field", "--start": "1.0,1.0", "--without": "sindy", "--output": "worth.csv", "force": "true"}
OPTIONAL = ("sindy", "structureless", "alone")


def main(words: Sequence[str]) -> None:
    """Compare, print and write."""
    (folder,), flags = parsed(words, "worth", FLAGS, PLACES)
    if not Path(folder).is_dir():
        raise ValueError(f"{folder} must be the folder of a finished run, got none")
    without = flags["--without"].split(",") if "--without" in flags else []
    if strangers := [name for name in without if name not in OPTIONAL]:
        raise ValueError(f"--without takes {', '.join(OPTIONAL)}, got {strangers[0]!r}")
    if ("--law" in flags) != ("--start" in flags):
        raise ValueError("--law and --start go together, got one of them; give both, or none")
    output = destination("--output", Path(flags.get("--output", FLAGS["--output"])), flags)
    start = numbers("--start", flags["--start"]) if "--start" in flags else []
    from metastruct.evaluation.rivals.law import KnownLaw
    from metastruct.evaluation.rivals.rival import Rival
    from metastruct.evaluation.rivals.sindy import Sindy
    from metastruct.running.tracking import console
    from metastruct.sweeps.studies.worth import COLUMNS, rows, written

    rivals: dict[str, Rival] = {} if "sindy" in without else {"weak SINDy": Sindy()}
    if "--law" in flags:
        rivals["the law, its parameters fitted"] = KnownLaw.read(flags["--law"], start)
    every, members = rows(Path(folder), rivals, console.note, without)
    if not any(row.errors for row in every):
        raise ValueError(f"there is nothing to compare; {'; '.join(f'{row.way}: {row.note}' for row in every)}")
    title = f"{len(members)} held-out members: median forecast error, % of the spread"
    console.show(COLUMNS, [row.cells() for row in every], title)
    console.remark(f"{row.way}: {row.note}" for row in every if row.note)
    written(every, members, output)
    print(f"every member in {output}")
