"""Reproduce the paper's tables: python scripts/reproduce.py --help"""

import os
import signal
import sys
from pathlib import Path

if __name__ == "__main__":
    from metastruct.sweeps.command import main  # not above: the process of every run reads this file

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to end it is to interrupt it
    os.chdir(Path(__file__).resolve().parents[1])
    raise SystemExit(main(sys.argv[1:]))
