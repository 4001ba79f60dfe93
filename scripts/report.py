"""Tables, figures, verdicts and one page, from what is on disk: python scripts/report.py [FOLDER]"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "outputs" / "reference"


def main() -> None:
    """Write the report and say where."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, help="with a folder a table; outputs/reference")
    folder = parser.parse_args().folder
    if not folder.is_dir():
        parser.error(f"FOLDER must hold results of scripts/reproduce.py, and {folder} is not there")

    from metastruct.paper.report import report
    from metastruct.sweeps.table import digests, errors

    began = time.perf_counter()
    try:
        path = report(folder, partial(print, flush=True), digests(), errors())
    except (ValueError, OSError) as error:
        parser.error(" ".join(str(error).split()))
    print(f"{path}, {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
