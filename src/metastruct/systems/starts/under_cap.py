"""Starts that are uniform in the states of a member whose energy is under its cap (docs/method.md, section 5).

{x : H(x; mu) <= E_cap(mu)}, by rejection from a box that bounds it. What is drawn does not depend on how tight that box
is, how long it takes does; a box that lies beside the set, or a cap below the lowest energy, would take for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from metastruct.systems.capability import CAPABILITIES
from metastruct.systems.starts.start import Array, Start

if TYPE_CHECKING:
    from metastruct.systems.system import System

DRAWS = 100_000  # candidates at most, for each start that is asked for


class UnderEnergyCap(Start):
    """Uniform under the energy cap of each member, `energy_cap`, by rejection from its `cap_box`.

    A family whose own law is one of these keeps its own, which may draw from a smaller set than the box.
    """

    surplus = 4  # candidates of a round, for each start that is asked for

    def sample(self, system: System, generator: np.random.Generator, mu: Array, count: int) -> Array:
        """As of `Start`.

        Raises:
            ValueError: `DRAWS` candidates for each start were not enough, or the box is not finite.
        """
        mu = mu[None]
        starts, drawn = np.empty((0, system.state_dim)), 0
        nowhere = not np.isfinite(system.cap_box(mu)).all()  # such as the root of a cap below the lowest energy
        while len(starts) < count:
            if nowhere or drawn >= DRAWS * count:
                raise ValueError(
                    f"{system.name} ({system.described(mu)[0]}) must have {count} starts under its energy cap "
                    f"{system.energy_cap(mu)[0]:.4g}, got {len(starts)} in {drawn} draws; see to energy_cap and "
                    "cap_box of the family, change system.parameters, or choose another law"
                )
            candidates = self.candidates(system, generator, mu, self.surplus * count)
            drawn += len(candidates)
            starts = np.concatenate([starts, candidates[self.allowed(system, candidates, mu)]])
        return starts[:count]

    def candidates(self, system: System, generator: np.random.Generator, mu: Array, count: int) -> Array:
        """States `[count, state]`, uniform in a set that holds those under the cap; mu is `[1, parameters]`."""
        low, high = np.moveaxis(system.cap_box(mu)[0], -1, 0)
        return generator.uniform(low, high, size=(count, system.state_dim))

    def allowed(self, system: System, x: Array, mu: Array) -> Array:
        """Which of the states x `[points, state]` are starts, `[points]`; mu is `[1, parameters]`."""
        inside: Array = system.energy(x[None], mu)[0] <= system.energy_cap(mu)[0]
        return inside

    def box(self, system: System, mu: Array) -> Array:
        return system.cap_box(mu)

    def check(self, system: System, count: int = 1) -> None:
        for capability in ("energy", "energy_cap"):
            if not system.gives(capability):
                raise ValueError(
                    f"starts under a cap need a system with an energy and a cap of it, got {system.name}, which has no "
                    f"{CAPABILITIES[capability].label}; leave start out or choose another law"
                )

    def fitted(self, system: System) -> Start:
        return system.start if isinstance(system.start, UnderEnergyCap) else self
