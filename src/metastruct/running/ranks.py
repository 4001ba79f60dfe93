"""Ranks that the environment has for the processes of one job: Lightning reads them as it is imported.

It takes numbers alone. RANK is anybody's word, and launchers leave some of them empty; a run is one process whatever
they say.
"""

from __future__ import annotations

import os
import re

RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
NUMBER = re.compile(r"\s*[+-]?\d+\s*")


def forget_words() -> None:
    """Take ranks that are no numbers out of the environment of this process."""
    for name in RANKS:
        if not NUMBER.fullmatch(os.environ.get(name, "0")):
            del os.environ[name]
