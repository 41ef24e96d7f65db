"""Compares JSON values with patterns that leave unknown values open: see `tests/corpus/README.md`."""

import re
from collections.abc import Iterable
from typing import Any, Final

_PLACE: Final = re.compile(r"\$\{(\w+)(?::(\w+))?\}")
_KINDS: Final = {
    None: ".+",
    "new": ".+",
    "rest": ".*",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00",
    "int": r"\d+",
}
_NAMELESS: Final = "_"


class MismatchError(Exception):
    """Raised when a value does not fit its pattern, or when an answer does not come."""


class LateError(MismatchError):
    """Raised when an answer has not ended in time, or has not begun."""


class Known:
    """The values of the names in patterns.

    Args:
        values: Those of names that are known from the beginning.
    """

    def __init__(self, **values: str) -> None:
        self._values: dict[str, Any] = {**values}

    def fill(self, text: str) -> str:
        """Return the text with the values in place of the names."""
        return _PLACE.sub(lambda place: str(self._values[place[1]]), text)

    def filled(self, value: Any) -> Any:
        """Return the JSON value with the values in place of the names in its texts."""
        if isinstance(value, dict):
            return {key: self.filled(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.filled(each) for each in value]
        return self.fill(value) if isinstance(value, str) else value

    def match(self, pattern: Any, value: Any, where: str = "") -> None:
        """Take the values of new names, or raise a `MismatchError` that says `where` the value differs."""
        if isinstance(pattern, dict) and isinstance(value, dict):
            _equal(list(pattern), list(value), f"the keys of {where}")
            self._match_each(pattern.values(), value.values(), [f"{where}.{key}" for key in pattern])
        elif isinstance(pattern, list) and isinstance(value, list):
            _equal(len(pattern), len(value), f"the length of {where}")
            self._match_each(pattern, value, [f"{where}[{index}]" for index in range(len(pattern))])
        elif isinstance(pattern, str) and _PLACE.search(pattern):
            self._match_text(pattern, value, where)
        else:
            _equal(pattern, value, where)

    def _match_each(self, patterns: Iterable[Any], values: Iterable[Any], places: Iterable[str]) -> None:
        for pattern, value, where in zip(patterns, values, places, strict=True):
            self.match(pattern, value, where)

    def _match_text(self, pattern: str, value: Any, where: str) -> None:
        whole = _PLACE.fullmatch(pattern)
        if whole and whole[2] == "int" and (type(value) is not int or value < 0):
            raise MismatchError(f"{where}: {value!r} instead of a whole number")
        if whole and whole[2] in (None, "int"):
            self._take(whole, value, where)
            return
        places = list(_PLACE.finditer(pattern))
        fixed = [re.escape(part) for part in _PLACE.split(pattern)[::3]]
        groups = [f"({self._form_of(*place.groups())})" for place in places]
        form = "".join(map("".join, zip(fixed, [*groups, ""], strict=True)))
        found = re.fullmatch(form, value, re.DOTALL) if isinstance(value, str) else None
        if found is None:
            raise MismatchError(f"{where}: {value!r} instead of {pattern!r}")
        for place, text in zip(places, found.groups(), strict=True):
            self._take(place, text, where)

    def _form_of(self, name: str, kind: str | None) -> str:
        value = self._values.get(name)
        return re.escape(value) if isinstance(value, str) else _KINDS[kind]

    def _take(self, place: re.Match[str], value: Any, where: str) -> None:
        name, kind = place.groups()
        if kind == "new" and value in self._values.values():
            raise MismatchError(f"{where}: {value!r} once more")
        if name != _NAMELESS:
            _equal(self._values.setdefault(name, value), value, where)


def _equal(expected: Any, value: Any, where: str) -> None:
    if (type(expected), expected) != (type(value), value):  # True is not 1.
        raise MismatchError(f"{where}: {value!r} instead of {expected!r}")
