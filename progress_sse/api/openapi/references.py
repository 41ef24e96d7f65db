"""References from one part of the description to another."""

from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


def ref(kind: str, name: str) -> Json:
    """Return a reference to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}
