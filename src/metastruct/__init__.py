"""MetaStruct: meta-learning of structure-preserving dynamics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metastruct.api import Family, Member, Members, Model, extend, fit, load, load_member, load_members, resize
    from metastruct.config.folders import add_conf

__all__ = [
    "Family",
    "Member",
    "Members",
    "Model",
    "add_conf",
    "extend",
    "fit",
    "load",
    "load_member",
    "load_members",
    "resize",
]


def __getattr__(name: str) -> Any:
    """The Python interface, imported when it is first used: torch takes seconds."""
    if name == "add_conf":
        from metastruct.config.folders import add_conf

        return add_conf
    if name in __all__:
        from metastruct import api

        return getattr(api, name)
    raise AttributeError(f"module 'metastruct' has no attribute {name!r}")
