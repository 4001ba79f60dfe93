"""Reproduce the paper's tables: python scripts/reproduce.py --help"""

import os
import sys
from pathlib import Path

from metastruct.sweeps.command import main

if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parents[1])
    raise SystemExit(main(sys.argv[1:]))
