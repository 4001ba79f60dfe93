"""The two keys of a run.

The *training key* names everything that the trained numbers depend on, the *evaluation key* adds what the measured
ones depend on. Logger, device, progress, checkpoint rhythm, launcher and force are in neither: changing them repeats
nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from metastruct.facts import facts_of

RESULTS_VERSION = 2  # raise it when a change of code changes the numbers of an unchanged configuration

Tree = Mapping[str, Any]
PIECES = ("system", "net", "modulation", "dynamics", "bracket", "learner", "objective", "optimizer")


def digest(content: object) -> str:
    """Eight hexadecimal digits of a JSON-like object, independent of the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:8]


def in_a_key(setting: str) -> bool:
    """Does a key depend on a setting such as `trainer.steps`?"""
    outside = ("logger", "outputs", "tag", "force", "replicas", "trainer")
    return setting == "trainer.steps" or (setting.split(".")[0] not in outside and setting != "evaluation.figures")


def _pick(tree: Tree, *names: str) -> dict[str, Any]:
    return {name: tree[name] for name in names}


def _only_measured(cfg: Tree) -> tuple[str, ...]:
    """The settings of the data that no training depends on."""
    return tuple(facts_of("data", cfg["data"]["name"]).only_measured)


def training_settings(cfg: Tree) -> dict[str, Any]:
    """The part of a resolved configuration that the trained model depends on."""
    data, left_out = cfg["data"], _only_measured(cfg)
    return {
        **_pick(cfg, *PIECES, "locality", "seed"),
        **({"start": cfg["start"]} if cfg.get("start") else {}),  # a system's own is in its name
        "data": {name: value for name, value in data.items() if name not in left_out},
        "steps": cfg["trainer"]["steps"],
        "results": RESULTS_VERSION,
    }


def evaluation_settings(cfg: Tree) -> dict[str, Any]:
    """The part of a resolved configuration that the metrics depend on."""
    evaluation = {name: value for name, value in cfg["evaluation"].items() if name not in ("figures", "metrics")}
    named = cfg["evaluation"].get("metrics")
    return {
        **_pick(cfg, "adaptation", "integrator", "shots"),
        "training": training_settings(cfg),
        "evaluation": evaluation | ({} if named is None else {"metrics": named}),  # all of them change no key
        "data": _pick(cfg["data"], *_only_measured(cfg)),
    }


def training_key(cfg: Tree) -> str:
    return digest(training_settings(cfg))


def evaluation_key(cfg: Tree) -> str:
    return digest(evaluation_settings(cfg))
