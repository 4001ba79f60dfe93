"""Tables, figures, verdicts and one page, from what is on disk: python scripts/report.py [FOLDER]"""

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "outputs" / "reference"

if __name__ == "__main__":
    from metastruct.__main__ import main

    main(["report", *(sys.argv[1:] or [str(FOLDER)])])
