"""Make the runs of tables that are missing and collect their results: the paper's tables, or your own.

metastruct reproduce table=main --dry-run
metastruct reproduce --help
"""

from __future__ import annotations

import signal
from collections.abc import Sequence


def main(words: Sequence[str]) -> None:
    """Do what the words say, and exit with 0, 1 after a failed run, 2 for words that mean nothing, 130."""
    from metastruct.sweeps import command

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to end it is to interrupt it
    raise SystemExit(command.main(words))
