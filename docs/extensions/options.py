"""Pages of the options, from the yamls of conf/: what each setting does, its default, and why that one.

The comment behind a setting says so: `width: 64 # units of a hidden layer; why: 128 errs as much`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import getdoc
from pathlib import Path
from typing import TYPE_CHECKING

from metastruct.config.added import CLASSED, base_of
from metastruct.config.facts import by_default, described, facts_of, options
from metastruct.config.folders import CONF, yaml_of
from metastruct.config.pieces import class_of
from metastruct.running.usage import purpose

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parents[1]
UNLISTED = ("_target_", "name", "defaults")
LINE = re.compile(r"^(?P<indent> *)(?P<name>[\w.]+): *(?P<value>[^#]*?) *(?:# (?P<comment>.*))?$")
WHY = "why: "  # in a comment: what stands behind it says why this default
STANDARD = re.compile(
    r"\$\{metastruct\.(?:preferred:[\w.]+,|given:\$\{rank\},|where:\$\{\.seconds\},null,)(.*?)(?:,null)?\}$"
)
COMPUTED = re.compile(r"\$\{metastruct\.(?!preferred:|given:|where:|one_or_several:)")
SEVERAL = re.compile(r"\$\{metastruct\.one_or_several:(\d+),(\d+)\}")
OVERRIDE = re.compile(r"^  - override /(\w+)@\S+: (\w+)$", re.M)
RECORD = re.compile(r"outputs/reference/(\w+)")
HEAD = ("| setting: default | what it does | why this default |", "|---|---|---|")
NUMBERS = (
    "Two numbers with a slash are the field and the trajectory error x 1e-2. A reason that links to a record was "
    "measured there; any other is a judgement, or follows from the method."
)
ARGUMENT = re.compile(r"^ {4}([\w, ]+): (.*)$")


@dataclass(frozen=True)
class Setting:
    """One line of a yaml.

    Args:
        name: as on a command line, without its group.
        default: as the yaml writes it.
        what: it does, as its yaml says, else its class.
        why: this default, as its yaml says.
        bounds: what it may be.
    """

    name: str
    default: str
    what: str
    why: str
    bounds: str


def groups() -> list[str]:
    """The groups of conf/ whose pieces have settings."""
    return sorted(path.name for path in CONF.iterdir() if path.is_dir() and path.name != "table")


def arguments(text: str) -> dict[str, str]:
    """What the section `Args:` of a docstring says of each argument."""
    said: dict[str, str] = {}
    names: list[str] = []
    section = ""
    for line in text.splitlines():
        if line and not line.startswith(" "):
            section = line
        elif section == "Args:" and (match := ARGUMENT.match(line)):
            names = match[1].split(", ")
            said |= dict.fromkeys(names, match[2])
        elif section == "Args:" and line.strip():
            said |= {name: f"{said[name]} {line.strip()}" for name in names}
    return said


def _kind(group: str, name: str) -> type | None:
    target = described(group, name).get("_target_")
    return class_of(target) if isinstance(target, str) else None


def _said(group: str, name: str) -> Mapping[str, str]:
    """Of all arguments, by the class and those that it is derived from."""
    kind = _kind(group, name)
    every: dict[str, str] = {}
    for base in reversed(kind.__mro__ if kind else ()):
        every |= arguments(getdoc(base) or "") if base.__module__.startswith("metastruct") else {}
    return every


def of_train() -> list[Setting]:
    """The settings that belong to no group."""
    lines = (CONF / "train.yaml").read_text().partition("\nhydra:")[0].partition("  - experiment: null")[2]
    matches = [match for line in lines.splitlines() if (match := LINE.match(line))]
    return [Setting(match["name"], match["value"], *said_of(match["comment"]), "") for match in matches]


def said_of(comment: str | None) -> tuple[str, str]:
    """What a setting does and why its default is what it is, of the comment behind it."""
    what, _, why = (comment or "").partition(WHY)
    return what.removesuffix("; "), why


def readable(default: str) -> str:
    """A default without the resolver that looks elsewhere first; what is made of other settings is computed."""
    if COMPUTED.match(default):
        return "computed"
    match = STANDARD.match(default)
    return SEVERAL.sub(r"\1; several families: \2", match[1] if match else default)


def _lines(group: str, name: str) -> Iterator[tuple[str, str, str]]:
    """Name, default and comment of each setting of a yaml; of `parameters:` those inside, with its comment before."""
    above = shared = ""
    for line in yaml_of(group, name).read_text().partition("\nfacts:")[0].splitlines():
        match = LINE.match(line)
        if match is None or line.lstrip().startswith("#"):
            continue
        if not match["indent"]:
            above, shared = match["name"], match["comment"] or ""
        if above in UNLISTED or (not match["value"] and not match["indent"]):
            continue
        own = f"{above}.{match['name']}" if match["indent"] else match["name"]
        of_all = [shared] if match["indent"] and shared else []
        yield own, match["value"], ", ".join(([match["comment"]] if match["comment"] else []) + of_all)


def _elsewhere(group: str, piece: str, setting: str, default: str) -> str:
    """Why the other pieces of a group have the same default, the piece that is chosen by default asked first."""
    named = "parameters" if setting.startswith("parameters.") else setting
    chosen = by_default().get(group)
    for name in sorted(options(group), key=lambda name: name != chosen):
        for other, value, comment in _lines(group, name):
            alike = other.startswith("parameters.") if named == "parameters" else (other, value) == (setting, default)
            if name != piece and alike and WHY in comment:
                return said_of(comment)[1]
    return ""


def settings(group: str, name: str) -> list[Setting]:
    """All of a piece. Where its yaml does not say why, another one of its group with the same default does."""
    classes, laws = _said(group, name), facts_of(group, name).values
    rows = []
    for setting, default, comment in _lines(group, name):
        law = laws.get(setting, "")
        bounds = law if isinstance(law, str) else ", ".join(map(str, law))
        what, why = said_of(comment)
        what, why = what or classes.get(setting, ""), why or _elsewhere(group, name, setting, default)
        rows.append(Setting(setting, readable(default), what.rstrip("."), why, bounds))
    return rows


def cell(text: str) -> str:
    """Text of a table, in which nothing is markup."""
    return re.sub(r"([|*_<>$\\\[\]{}])", r"\\\1", text)


def linked(text: str) -> str:
    """Text of a table in which the records that it names can be followed."""
    return "".join(
        f"[{cell(part)}](../../../outputs/reference/{part}/table.md)" if number % 2 else cell(part)
        for number, part in enumerate(RECORD.split(text))
    )


def code(text: str) -> str:
    """Text of a table in the letters of code."""
    return f"`{text.replace('|', chr(92) + '|')}`" if text else ""


def documented(kind: type, members: bool = False) -> list[str]:
    """The lines that show a class."""
    options = ["   :members:", "   :undoc-members:"] if members else []
    directive = f".. autoclass:: {kind.__module__}.{kind.__qualname__}"
    return ["```{eval-rst}", directive, *options, "```", ""]


def table(rows: Sequence[Setting]) -> list[str]:
    """The lines of a table of settings; none where there are none."""
    cells = []
    for row in rows:
        new = not {*row.bounds.split(", ")} <= {*re.findall(r"\w+", row.what)}  # else it names them itself
        what = f"{row.what} ({row.bounds})" if row.bounds and new else row.what
        cells.append(f"| {code(f'{row.name}: {row.default}')} | {cell(what)} | {linked(row.why)} |")
    return [*HEAD, *cells, ""] if rows else []


def preferred(group: str, name: str) -> list[str]:
    """What a piece sets of others where nobody says otherwise."""
    words = [f"`{setting}={value}`" for setting, value in facts_of(group, name).prefers.items()]
    return [f"Takes, where nobody says otherwise: {', '.join(words)}.", ""] if words else []


def overridden(group: str, name: str) -> list[str]:
    """The pieces of other groups that a preset chooses, `GROUP=NAME`."""
    return [f"{match[1]}={match[2]}" for match in OVERRIDE.finditer(yaml_of(group, name).read_text())]


def page(group: str) -> str:
    """The page of a group: its pieces and, at the end, the class that pieces of your own are derived from."""
    lines, shown = [f"# {group}", "", NUMBERS, ""], list[type]()
    for name in options(group):
        lines += [f"## {group}={name}", "", linked(purpose(yaml_of(group, name))), ""]
        if (kind := _kind(group, name)) and kind not in shown:
            shown.append(kind)
            lines += documented(kind)
        if pieces := overridden(group, name):
            lines += [f"Chooses {', '.join(map(code, pieces))}.", ""]
        lines += table(settings(group, name))
        lines += preferred(group, name)
    if group in CLASSED and (base := base_of(group)) not in shown:
        lines += ["## A piece of your own", "", "It is derived from this class ([how](../../extend.md)):", ""]
        lines += documented(base, members=True)
    return "\n".join(lines)


def write(app: Sphinx | None = None) -> None:
    """All pages, each where it has changed."""
    folder = HERE / "generated" / "options"
    folder.mkdir(parents=True, exist_ok=True)
    pages = {group: page(group) for group in groups()}
    pages["train"] = "\n".join(["# Of every run", "", NUMBERS, "", *table(of_train())])
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}
