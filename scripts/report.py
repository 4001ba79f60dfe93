"""Tables, figures, verdicts and one page, from what is on disk: python scripts/report.py [FOLDER]"""

import sys
import time
from functools import partial
from pathlib import Path

from metastruct.reports.report import report

if __name__ == "__main__":
    began = time.perf_counter()
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1] / "outputs" / "reference"
    path = report(folder, partial(print, flush=True))
    print(f"{path}, {time.perf_counter() - began:.0f} s")
