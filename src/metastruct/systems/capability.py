"""What a family of systems may be able to tell of its law or of its starts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Capability:
    """A method that a family may have or lack.

    Args:
        label: for people.
        owner: who has it.
        of_law: does it belong to the law, not to the starts? Then all families of a union have it, or none.
    """

    label: str
    owner: str
    of_law: bool = True


CAPABILITIES = {
    "energy": Capability("energy", "a conservative or a metriplectic system"),
    "entropy": Capability("entropy", "a metriplectic system"),
    "poisson": Capability("Poisson matrix", "a metriplectic system"),
    "friction": Capability("friction matrix", "a metriplectic system"),
    "momentum": Capability("total momentum that is kept", "bodies on which nothing from outside acts"),
    "angular_momentum": Capability("angular momentum that is kept", "bodies that see only distances"),
    "energy_cap": Capability("energy cap", "a system that starts under one", of_law=False),
    "cap_box": Capability("box of the states under an energy cap", "a system that starts under one", of_law=False),
}
