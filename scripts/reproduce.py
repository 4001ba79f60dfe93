"""Reproduce the paper's tables: python scripts/reproduce.py --help, or metastruct reproduce --help"""

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    from metastruct.commands import main  # not above: the process of every run reads this file

    os.chdir(Path(__file__).resolve().parents[1])
    main(["reproduce", *sys.argv[1:]])
