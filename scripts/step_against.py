"""Outer step of the working tree over that of another commit: python scripts/step_against.py REVISION [WORD ...]

The packages of both live in one process, on one thread, whose processor time counts, and take turns; words are those
of train.py. Ends with 1 where the median of the ratios is above the bar.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from metastruct.benchmark.revision import ROOT, commit_of, sources
from metastruct.runs.arguments import Flags, counted, numbered

WORDS = ("system=pendulum", "modulation=svd", "rank=5")
WARM_UP = 20  # rounds that do not count
PACKAGES = ("metastruct", "hydra_plugins")


def forget() -> dict[str, ModuleType]:
    """Take the package out of this process; what is taken out can be put back by `sys.modules.update`."""
    names = [name for name in sys.modules if name.partition(".")[0] in PACKAGES]
    return {name: sys.modules.pop(name) for name in names}


class Side:
    """A learner of one version of the package, and the modules that it finds when it imports."""

    def __init__(self, tree: Path, words: Sequence[str]):
        forget()
        sys.path.insert(0, str(tree / "src"))
        from metastruct.benchmark import timing

        assert Path(timing.__file__).is_relative_to(tree), f"{timing.__file__} is not of {tree}"
        self.learner: Any = timing.learner(*words)
        self.seconds()
        self.modules = forget()
        sys.path.remove(str(tree / "src"))

    def seconds(self) -> float:
        began = time.thread_time()
        self.learner.outer_update(0)
        return time.thread_time() - began

    def step(self) -> float:
        """Processor seconds of one outer step."""
        forget()
        sys.modules.update(self.modules)
        return self.seconds()


def main() -> int:
    """Build both, time them in turn and print the ratio."""
    parser = Flags(__doc__)
    parser.add_argument("revision", help="of git: the denominator")
    parser.add_argument("words", nargs="*", default=WORDS, help=f"of train.py; {' '.join(WORDS)} unless given")
    parser.add_argument("--rounds", type=counted(), default=400)
    parser.add_argument("--bar", type=numbered(), default=1.1, help="largest ratio that is no failure")
    options = parser.parse_args()
    try:
        commit = commit_of(options.revision)
    except ValueError as error:
        parser.error(str(error))
    with sources(commit) as tree:
        before, after = Side(tree, options.words), Side(ROOT, options.words)
        rounds = []
        for number in range(WARM_UP + options.rounds):
            if number % 2:  # neither always follows the other
                second, first = after.step(), before.step()
            else:
                first, second = before.step(), after.step()
            rounds.append((first, second))
    rounds = rounds[WARM_UP:]
    ratios = [second / first for first, second in rounds]
    low, middle, high = statistics.quantiles(ratios, n=4)
    for name, times in zip((commit[:12], "working tree"), zip(*rounds, strict=True), strict=True):
        print(f"{name:<14} {1e3 * statistics.median(times):7.3f} ms")
    print(f"ratio          {middle:7.3f} x  (quartiles {low:.3f} to {high:.3f}, {len(ratios)} rounds)")
    print(f"bar            {options.bar:7.3f} x  {'holds' if middle <= options.bar else 'MISSED'}")
    return 0 if middle <= options.bar else 1


if __name__ == "__main__":
    raise SystemExit(main())
