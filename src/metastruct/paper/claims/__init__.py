"""The claims of the paper (docs/method.md, section 4), each with its evidence and a verdict."""

from metastruct.paper.claims.accuracy import ACCURACY
from metastruct.paper.claims.claim import Claim, Finding
from metastruct.paper.claims.cost import COST
from metastruct.paper.claims.divergence import DIVERGENCE
from metastruct.paper.claims.sensitivity import SENSITIVITY

CLAIMS: tuple[Claim, ...] = tuple(
    sorted((*ACCURACY, *DIVERGENCE, *SENSITIVITY, *COST), key=lambda claim: (claim.name[0], float(claim.name[1:])))
)

__all__ = ["CLAIMS", "Claim", "Finding"]
