"""Meta-train on members of a family and measure the adaptation to new ones.

metastruct train system=pendulum modulation=svd rank=5
metastruct train data=files data.path=measured.csv data.states=[q,p]
metastruct train --help
"""

from __future__ import annotations

from collections.abc import Sequence

from metastruct.running.usage import asked, usage


def main(words: Sequence[str]) -> None:
    """Train as the words of train.py say."""
    if asked(words):
        print(usage(words))
        return
    from metastruct.running.command_line import train

    train(words)
