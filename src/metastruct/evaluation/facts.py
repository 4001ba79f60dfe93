"""What others must know of a metric, from its yaml: conf/metric/NAME.yaml.

_target_, and the settings of the class
name: its own, that of the file
label: for people; `short` in a line that names several
order: its place in records and tables
scale, digits, form: how a number is shown, 100, 2 and f for 1.23 (x 1e-2)
perfect: what an exact member has, a number or [lowest, highest]
rolled_out: is it meaningless for a task whose rollout diverged?
headline: has it a line in the table of a run? `always`, an empty one too; `measured`; `never`
kept: do the records of a table keep it, unless the table says otherwise?
needs: what a member, its system or its adaptation must give, words of `evaluation.needs`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

FOLDER = Path(__file__).resolve().parents[3] / "conf" / "metric"
ERRORS = ("field_error", "trajectory_error")  # of tables, figures and claims that ask for no others


@dataclass(frozen=True)
class Facts:
    """Of one metric, as its yaml has them."""

    name: str
    label: str
    short: str
    order: int
    scale: float
    digits: int
    form: str
    perfect: tuple[float, float]
    rolled_out: bool
    headline: str
    kept: bool
    needs: tuple[str, ...]

    @property
    def unit(self) -> str:
        """Such as "x 1e-2"; empty where numbers are shown as they are."""
        return "" if self.scale == 1 else f"x {1 / self.scale:.0e}".replace("e-0", "e-")

    @property
    def heading(self) -> str:
        """Such as "field error (x 1e-2)"."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def text(self, value: float, digits: int | None = None) -> str:
        """A number in its unit and form."""
        return f"{self.scale * value:.{self.digits if digits is None else digits}{self.form}}"

    def distance(self, value: float) -> float:
        """How far a value is from that of an exact member."""
        low, high = self.perfect
        return max(low - value, value - high, 0.0)


def metrics() -> list[str]:
    """The names of all metrics, in their order."""
    names = sorted(path.stem for path in FOLDER.glob("*.yaml"))
    return sorted(names, key=lambda name: facts(name).order)


@cache
def facts(name: str) -> Facts:
    """Of the metric of this name.

    Raises:
        ValueError: there is no such metric, or its yaml lacks a fact.
    """
    content = described(name)
    missing = [field.name for field in fields(Facts) if field.name not in content]
    if missing:
        raise ValueError(f"{FOLDER / name}.yaml must say {', '.join(missing)}; the other metrics show how")
    known = {field.name: content[field.name] for field in fields(Facts)}
    perfect = known["perfect"] if isinstance(known["perfect"], list) else [known["perfect"]] * 2
    return Facts(**known | {"perfect": tuple(perfect), "needs": tuple(known["needs"])})


def settings(name: str) -> dict[str, Any]:
    """What makes the metric: its `_target_` and the settings of its class; errors as of `facts`."""
    of_people = {field.name for field in fields(Facts)}
    return {key: value for key, value in described(name).items() if key not in of_people}


def described(name: str) -> dict[str, Any]:
    """The whole yaml; errors as of `facts`."""
    path = FOLDER / f"{name}.yaml"
    if not path.exists():
        known = sorted(other.stem for other in FOLDER.glob("*.yaml"))
        near = get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there is {', '.join(known)}"
        raise ValueError(f"metric {name} is not known; {hint}")
    content: Any = OmegaConf.to_container(OmegaConf.load(path))
    return content


def headings(names: Sequence[str]) -> str:
    """Short names and units of several metrics, such as "x 1e-2, field / trajectory"."""
    several = [facts(name) for name in names]
    if len({each.unit for each in several}) == 1 and several[0].unit:
        return f"{several[0].unit}, {' / '.join(each.short for each in several)}"
    return " / ".join(f"{each.short} ({each.unit})" if each.unit else each.short for each in several)
