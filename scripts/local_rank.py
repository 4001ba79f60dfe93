"""Affine dimension and numerical local rank of every single family of conf/system: python scripts/local_rank.py

Prints the table and writes it, with its records, to outputs/reference/local_rank/.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from metastruct.config.schema import composed, groups
from metastruct.running.assembly import component
from metastruct.runs.arguments import Flags
from metastruct.runs.files import write_atomically
from metastruct.runs.lines import write_lines
from metastruct.runs.provenance import sign
from metastruct.runs.tables import as_csv
from metastruct.systems.local_rank import affine_dimension, local_ranks

FOLDER = Path(__file__).resolve().parents[1] / "outputs" / "reference" / "local_rank"
MEMBERS, STARTS, SEED = 200, 5, 0
TOLERANCES = (1e-2, 1e-4, 1e-8)  # of singular values, relative to the largest
LOCAL_TOLERANCE = 1e-6
TITLE = "Affine dimension and local rank of the families"
NOTE = (
    f"{MEMBERS} members at {MEMBERS * STARTS} states, {STARTS} starts of each; components of the field scaled to "
    "spread one. Ranks count singular values above the tolerance times the largest (local ranks: above "
    f"{LOCAL_TOLERANCE:g}); local ranks from the least to the most, over members, or over members and states."
)


def measured(name: str) -> dict[str, Any]:
    """One line of the table."""
    system = component(composed(f"system={name}").system)
    generator = np.random.default_rng(SEED)
    mu = np.stack([system.sample_parameters(generator) for _ in range(MEMBERS)])
    own = np.stack([system.sample_starts(generator, member, STARTS) for member in mu])
    common = np.broadcast_to(own.reshape(1, -1, system.state_dim), (MEMBERS, MEMBERS * STARTS, system.state_dim))
    fields = system.vector_field(common, mu)
    at_a_state, of_a_member = local_ranks(system, common[:, :: MEMBERS // 20], mu, LOCAL_TOLERANCE)
    line: dict[str, Any] = {"system": name, "parameters": len(system.parameter_names)}
    line |= {f"affine dimension at {t:g}": affine_dimension(fields, t) for t in TOLERANCES}
    line["local rank"] = f"{of_a_member.min()} to {of_a_member.max()}"
    line["local rank at one state"] = f"{at_a_state.min()} to {at_a_state.max()}"
    return line


def main() -> None:
    """Measure every family and write the folder of record."""
    Flags(__doc__).parse_args()
    families = [name for name in groups()["system"] if component(composed(f"system={name}").system).families == 1]
    lines = [measured(name) for name in families]
    records = [
        {"system": line["system"], "metric": metric, "value": value}
        for line in lines
        for metric, value in line.items()
        if metric != "system"
    ]
    write_atomically(FOLDER / "records.csv", as_csv(records))
    write_lines(FOLDER, lines, TITLE, NOTE)
    sign(FOLDER, ["scripts/local_rank.py"])
    print((FOLDER / "table.md").read_text())


if __name__ == "__main__":
    main()
