"""The facts that a yaml may declare, as `metastruct.config.facts` explains them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

LAST = 1_000  # the place of what says none


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Of one piece, as its yaml has them."""

    label: str | None = None
    short: str | None = None
    order: int = LAST
    colour: str | None = None
    marker: str | None = None
    provides: Mapping[str, Any] = field(default_factory=dict)
    excludes: Sequence[Mapping[str, Any]] = ()
    ignores: Sequence[Mapping[str, Any]] = ()
    needs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    values: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    shapes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    exactness: int = 0
    instead: str | None = None
    only_measured: Sequence[str] = ()
    outside: Sequence[str] = ()
    example: Mapping[str, Any] = field(default_factory=dict)
    trains: bool = True
    repeats: Mapping[str, Any] = field(default_factory=dict)
    prefers: Mapping[str, Any] = field(default_factory=dict)
    formerly: str | None = None
    version: int = 1
    search: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class MetricFacts(Facts):
    """Of one metric, whose yaml must say all but its needs and whether it is an error."""

    label: str = field()  # without the default that it would inherit
    short: str = field()
    order: int = field()
    scale: float
    digits: int
    form: str
    perfect: float | Sequence[float]
    rolled_out: bool
    headline: str
    kept: bool
    headline_error: bool = False
    plain: str | None = None

    @property
    def unit(self) -> str:
        """Such as "x 1e-2"; empty where numbers are shown as they are."""
        return "" if self.scale == 1 else f"x {1 / self.scale:.0e}".replace("e-0", "e-")

    @property
    def heading(self) -> str:
        """Such as "field error (x 1e-2)"."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def plain_heading(self) -> str:
        """The same for who has not read the paper: hundredths are percent."""
        label, unit = self.plain or self.label, "%" if self.scale == 100 else self.unit
        return f"{label} ({unit})" if unit else label

    def text(self, value: float, digits: int | None = None) -> str:
        """A number in its unit and form."""
        return f"{self.scale * value:.{self.digits if digits is None else digits}{self.form}}"

    def spread(self, values: Mapping[str, Any] | None) -> str:
        """Mean and deviation of what metrics.json holds of it, "-" where there is nothing."""
        if values is None or values["mean"] is None:
            return "-"
        return f"{self._shown(values['mean'])} ± {self._shown(values['std'])}"

    def _shown(self, value: float) -> str:
        """As the metric is written, but a digit of what would be zero in that."""
        text = self.text(value)
        return f"{self.scale * value:.1g}" if value and not float(text) else text

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest value of an exact member."""
        low, high = self.perfect if isinstance(self.perfect, Sequence) else (self.perfect, self.perfect)
        return low, high

    def distance(self, value: float) -> float:
        """How far a value is from that of an exact member."""
        low, high = self.bounds
        return max(low - value, value - high, 0.0)
