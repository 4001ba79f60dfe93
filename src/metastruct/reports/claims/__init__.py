"""The claims of the paper (METHOD section 4), each with its evidence and a verdict."""

from metastruct.reports.claims.accuracy import ACCURACY
from metastruct.reports.claims.claim import Claim, Finding
from metastruct.reports.claims.cost import COST
from metastruct.reports.claims.divergence import DIVERGENCE
from metastruct.reports.claims.sensitivity import SENSITIVITY

CLAIMS: tuple[Claim, ...] = tuple(
    sorted((*ACCURACY, *DIVERGENCE, *SENSITIVITY, *COST), key=lambda claim: (claim.name[0], float(claim.name[1:])))
)

__all__ = ["CLAIMS", "Claim", "Finding"]
