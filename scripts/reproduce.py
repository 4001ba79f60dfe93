"""Reproduce the paper's tables: python scripts/reproduce.py --help"""

import os
import signal
import sys
from pathlib import Path

from metastruct.sweeps.command import main

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to end it is to interrupt it
    os.chdir(Path(__file__).resolve().parents[1])
    raise SystemExit(main(sys.argv[1:]))
