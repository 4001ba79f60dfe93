"""What Hydra and OmegaConf say of a command line, in one line with what to write instead."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from hydra._internal.utils import get_args_parser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from metastruct.config.facts import options
from metastruct.config.mistakes import ConfigError, closest, near
from metastruct.config.schema import composed, groups
from metastruct.config.words import QUOTED, swept
from metastruct.runs.refusals import in_words

KINDS = {"Integer": "an integer such as 3", "Float": "a number such as 0.5", "bool": "true or false"}


def check_flags(words: Sequence[str]) -> None:
    """Does Hydra know the flags, and has every setting of a sweep a value?

    Raises:
        ConfigError: names the first that it does not know, or that has none.
    """
    parser = get_args_parser()
    parser.error = _refuse  # type: ignore[method-assign] # it would print a page and exit
    arguments = parser.parse_args([*words])
    for word in arguments.overrides:
        if swept(word) == []:
            raise ConfigError(f"{word} must name values to sweep over, got none; give it one or more")
    if any("${" in word for word in arguments.overrides) and not arguments.multirun:
        try:
            OmegaConf.to_container(composed(*arguments.overrides), resolve=True)
        except OmegaConfBaseException as error:
            raise ConfigError(f"{explained(error)}; ${{...}} must stand for a value of another setting") from None


def _refuse(message: str) -> NoReturn:
    raise ConfigError(f"{message}; --hydra-help lists the flags of Hydra")


def explained(error: Exception) -> str:
    """Hydra's, OmegaConf's and the system's errors in one line, with the near matches of a name that is not known."""
    if isinstance(error, OSError) and not isinstance(error, HydraException):  # some of Hydra's are both
        return in_words(error)
    message, cause = str(error), str(error.__cause__ or "")
    text = " ".join((message if cause in message else f"{message} {cause}").split())
    for pattern, explain in EXPLANATIONS.items():
        if match := re.search(pattern, text):
            return explain(match)
    return text


def _option(match: re.Match[str]) -> str:
    group, option = match.groups()
    return f"{group}={option} is not known; {closest(option, options(group.removeprefix('hydra/')))}"


def _setting(match: re.Match[str]) -> str:
    """That there is none; where none is like it, those of its group, or the groups."""
    key, every = match.groups()[-1] or match[1], _settings()
    if key in every:
        return f"{key} needs a value, got none; leave ~{key} out for its default"
    group, _, inner = key.partition(".")
    chosen = group in every and bool(inner)
    beside = [name for name in every if (name.startswith(f"{group}.") if chosen else "." not in name)]
    fix = closest(key, every, beside) if beside or near(key, every) else f"{group} has none, as it was chosen"
    return f"{key} is not a setting; {fix}"


def _no_option(match: re.Match[str]) -> str:
    every = groups()
    pairs = [(word, *word.partition("=")[::2]) for word in sys.argv[1:]]
    word = next((word for word, group, name in pairs if group in every and name not in every[group]), "a group")
    there = ", ".join(every.get(word.partition("=")[0], ()))
    return f"{word} must name an option, got none; " + (f"there is {there}" if there else "leave it out")


EXPLANATIONS: dict[str, Callable[[re.Match[str]], str]] = {
    r"Could not find '([\w/]+)/([^'/]*)'": _option,
    r"Key '([^']+)' (?:is not in struct|not in '\w+')(?:.*?full_key: (\S+))?": _setting,
    r"Could not override '([^']+)'": _setting,
    r"Cannot find primary config '([^']+)'": lambda match: (
        f"--config-name={match[1]} is not known; leave it out, for train.py has one"
    ),
    r"Primary config directory not found": lambda match: (
        "--config-path must be left alone; pieces of your own come with --config-dir FOLDER"
    ),
    r"Config group override must be": _no_option,
    r"Error parsing override '([^']*)'": lambda match: f"cannot read {match[1]!r}; {QUOTED}",
    r"\w+(?:Alt|Input|Token)\w*Exception: (.*?) \^": lambda match: f"cannot read {match[1]!r}; {QUOTED}",
    r"field '([^']+)' is not Optional": lambda match: (
        f"{match[1]} needs a value, got null; leave it out for its default"
    ),
    r"Value '(.*?)' (?:of type '\w+' )?(?:could not be converted to|is not a valid) (\w+).*?full_key: (\S+)": (
        lambda match: f"{match[3]} must be {KINDS.get(match[2], match[2])}, got {match[1]!r}"
    ),
    r"Error merging override (\S+?)=(.*) Invalid value assigned: \w+ is not a (ListConfig|\w+)": (
        lambda match: f"{match[1]} must be {'a list such as [a,b]' if 'List' in match[3] else match[3]}, got {match[2]}"
    ),
    r"Error merging override (\S+?)=(.*) Cannot convert '\w+' to string": lambda match: (
        f"{match[1]} must be a word, got {match[2]}; {QUOTED}"
    ),
    r"Cannot merge \w+ with ListConfig full_key: (\S+)": lambda match: f"{match[1]} must be a list such as [a,b]",
    r"Could not load '([\w/]+)/([^'/]*)'": _option,
    r"Could not delete from config\. '([^']+)' does not exist": _setting,
    r"(\w+) appears more than once in the final defaults list": lambda match: (
        f"{match[1]} is there twice; write it once"
    ),
    r"Error merging override ~(\S+) \w+ \(DictConfig\) does not support deletion": lambda match: (
        f"{match[1]} needs a value, got none; leave ~{match[1]} out for its default"
    ),
    r"(Value .*?) full_key: (\S+)": lambda match: f"{match[2]}: {match[1]}",
}


def _settings() -> list[str]:
    """Every key that can be set, groups and the settings inside of them included, of the pieces that were chosen."""
    every = groups()
    pairs = [word.partition(",")[0].partition("=") for word in sys.argv[1:]]
    return [*_keys(composed(*(f"{group}={name}" for group, _, name in pairs if name in every.get(group, ()))), "")]


def _keys(node: DictConfig, path: str) -> Iterator[str]:
    for key in map(str, node):
        if key in ("name", "_target_"):  # what a piece is, is chosen with its group
            continue
        yield f"{path}{key}"
        value = node._get_node(key)
        if isinstance(value, DictConfig) and not value._is_missing() and not value._is_none():
            yield from _keys(value, f"{path}{key}.")
