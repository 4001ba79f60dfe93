"""The help of train.py, read from the yamls alone: whatever is imported takes longer than an answer may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from metastruct.config.folders import CONF, folders

HELP = ("-h", "--help", "help")


def asked(words: Sequence[str]) -> bool:
    """Is it help that the words of train.py ask for, and not that of Hydra itself?"""
    return bool({*HELP} & {*words})


def usage(words: Sequence[str]) -> str:
    """The help: of everything, or of the groups and pieces that the words name.

    Raises:
        ValueError: a word names neither.
    """
    every = groups()
    named = [word for word in words if word.partition("=")[0] in every]
    plain = [word for word in words if not word.startswith("-") and "=" not in word]
    for word in plain:
        if word not in (*every, *HELP):
            raise ValueError(f"{word} is no group; there is {', '.join(every)}")
    if not named:
        texts = yaml.safe_load((CONF / "train.yaml").read_text())["hydra"]["help"]
        lines = "".join(f"{group}: {', '.join(yamls)}\n" for group, yamls in every.items())
        text = texts["template"].replace("$APP_CONFIG_GROUPS\n", f"{lines}\n")
        for part in ("header", "footer"):
            text = text.replace(f"${{hydra.help.{part}}}", texts[part])
        return str(text)
    return "\n\n".join(_of_group(*word.partition("=")[::2], every) for word in named)


def groups() -> dict[str, dict[str, Path]]:
    """The yamls of each group that train.py chooses from, by name."""
    entries = yaml.safe_load((CONF / "train.yaml").read_text())["defaults"]
    names = sorted(key for entry in entries if isinstance(entry, dict) for key in entry if " " not in key)
    return {
        group: {
            path.stem: path for path in sorted(path for folder in folders() for path in folder.glob(f"{group}/*.yaml"))
        }
        for group in names
    }


def _of_group(group: str, name: str, every: Mapping[str, Mapping[str, Path]]) -> str:
    yamls = every[group]
    if not name:
        width = max(map(len, yamls))
        return "\n".join([f"{group}=", *(f"  {option:<{width}}  {purpose(path)}" for option, path in yamls.items())])
    if name not in yamls:
        raise ValueError(f"{group}={name} is not known; there is {', '.join(yamls)}")
    path = yamls[name]
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    laws = content.get("facts", {}).get("values", {})
    lines = path.read_text().partition("\nfacts:")[0].splitlines()[1:]
    lines = [line for line in lines if not line.startswith(("_target_", "name:"))]
    bounds = [
        f"  {group}.{setting}: {law if isinstance(law, str) else ', '.join(law)}" for setting, law in laws.items()
    ]
    return "\n".join([f"{group}={name}  {purpose(path)}", *(f"  {line}" for line in lines), *bounds])


def purpose(path: Path) -> str:
    """What a piece is for: the first comment of its yaml, but for what it tells Hydra."""
    first = next((line for line in path.read_text().splitlines() if not line.startswith("# @")), "")
    return first.removeprefix("#").strip() if first.startswith("#") else ""
