"""Is there an account of Weights & Biases on this machine? Asked without importing wandb, which takes a second."""

from __future__ import annotations

import os
from pathlib import Path


def has_key() -> bool:
    """Whether an API key lies in WANDB_API_KEY or, after a `wandb login`, in ~/.netrc."""
    netrc = Path.home() / ".netrc"
    return bool(os.environ.get("WANDB_API_KEY")) or (netrc.exists() and "wandb" in netrc.read_text())
