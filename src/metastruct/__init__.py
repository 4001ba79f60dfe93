"""MetaStruct: meta-learning of structure-preserving dynamics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metastruct.api import Family, Member, Members, Model, extend, fit, load, load_member, load_members

__all__ = ["Family", "Member", "Members", "Model", "extend", "fit", "load", "load_member", "load_members"]


def __getattr__(name: str) -> Any:
    """The Python interface, imported when it is first used: torch takes seconds."""
    if name in __all__:
        from metastruct import api

        return getattr(api, name)
    raise AttributeError(f"module 'metastruct' has no attribute {name!r}")
