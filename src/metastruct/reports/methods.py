"""The methods of the tables: what people call them, and which of them the paper compares."""

from __future__ import annotations

SVD = "svd(5)"
MODULATIONS = (SVD, "shift", "rank_one", "multi_rank(5)", "full_weight")  # of the paper
BASELINES = ("maml", "anil", "reptile")
OF_WEIGHTS = (*BASELINES, "pretrained", "scratch")  # methods whose tasks differ in weights, not in a code
PAPER = (*MODULATIONS, *BASELINES, "scratch")

NAMES = {"shift": "Shift", "rank_one": "RO", "full_weight": "FW", "camel": "CAMEL", "geps": "GEPS", "maml": "MAML",
         "anil": "ANIL", "reptile": "Reptile", "scratch": "Scratch", "pretrained": "Pretrained"}  # fmt: skip
RANKED = {"svd": "SVD", "multi_rank": "MR"}


def named(method: str) -> str:
    """As the paper writes it, such as SVD(5) for svd(5)."""
    stem, bracket, rank = method.partition("(")
    return RANKED[stem] + bracket + rank if stem in RANKED else NAMES.get(method, method)
