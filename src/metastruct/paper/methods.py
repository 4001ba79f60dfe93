"""The methods of the tables: what people call them, which of them the paper compares, and how each adapts."""

from __future__ import annotations

from metastruct.config.facts import Facts, brings, described, facts_of, in_order, options
from metastruct.config.published import PAPER_YAML

SVD: str = PAPER_YAML["method"]
MODULATIONS: tuple[str, ...] = tuple(PAPER_YAML["modulations"])
BASELINES: tuple[str, ...] = tuple(PAPER_YAML["baselines"])
PAPER = (*MODULATIONS, *BASELINES, PAPER_YAML["alone"])


def stem(method: str) -> str:
    """The piece that a method is named by: svd of svd(5)."""
    return method.partition("(")[0]


def facts(method: str) -> Facts:
    """Of the modulation or the learner that a method is named by; none of a method that is neither."""
    groups = [group for group in ("modulation", "learner") if stem(method) in options(group)]
    return facts_of(groups[0], stem(method)) if groups else Facts()


def named(method: str) -> str:
    """As the paper writes it, such as SVD(5) for svd(5)."""
    label = facts(method).label
    return method if label is None else label + method.removeprefix(stem(method))


def of_weights(method: str) -> bool:
    """Do its tasks differ in weights, not in a code? Then it is named by its learner."""
    return stem(method) in options("learner")


def with_codes(learner: str) -> bool:
    """Do the tasks of a learner differ in a code, so that its methods are named by their modulations?"""
    return "modulation" not in brings("learner", learner)


def methods() -> list[str]:
    """What methods are named by, in their order: modulations with a code, then learners that bring their own."""
    codes = [name for name in in_order("modulation") if facts_of("modulation", name).provides.get("code") == "numbers"]
    return [*codes, *(name for name in in_order("learner") if not with_codes(name))]


def usual(modulation: str, adaptation: str) -> bool:
    """Is it the adaptation that a modulation has in the tables, which rest on experiment=paper?"""
    return adaptation == brings("modulation", modulation).get("adaptation", brings("experiment", "paper")["adaptation"])


def stepwise(adaptation: str) -> bool:
    """Does it take as many steps as the evaluation says, so that a table may cut it short?"""
    exists = adaptation in options("adaptation")
    return exists and described("adaptation", adaptation).get("steps") == "${evaluation.steps}"


def of_codes(adaptation: str) -> bool:
    """Does it fit a code, of any modulation that has one?"""
    return facts_of("adaptation", adaptation).needs.get("modulation", {}).get("code") == "numbers"
