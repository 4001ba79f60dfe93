"""A short name for a content."""

from __future__ import annotations

import hashlib
import json


def digest(content: object) -> str:
    """Eight hexadecimal digits of a JSON-like object, independent of the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:8]
