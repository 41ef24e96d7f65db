"""Compares JSON values with patterns that leave unknown values open: see `tests/corpus/README.md`."""

import re
from typing import Any

_PLACE = re.compile(r"\$\{(\w+)(?::(\w+))?\}")
_KINDS = {
    None: ".+",
    "rest": ".*",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00",
    "int": r"\d+",
}
_NAMELESS = "_"


class Known:
    """The values of the names in patterns."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def fill(self, text: str) -> str:
        return _PLACE.sub(lambda place: str(self._values[place[1]]), text)

    def filled(self, value: Any) -> Any:
        """The JSON value with the values in place of the names in its texts."""
        if isinstance(value, dict):
            return {key: self.filled(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.filled(each) for each in value]
        return self.fill(value) if isinstance(value, str) else value

    def match(self, pattern: Any, value: Any, where: str = "") -> None:
        """Learn the values of new names.

        Raises:
            AssertionError: The value does not fit the pattern.
        """
        if isinstance(pattern, dict):
            assert isinstance(value, dict), f"{where}: {value!r} is no object"
            assert list(pattern) == list(value), f"{where}: {list(value)} instead of {list(pattern)}"
            for key, part in pattern.items():
                self.match(part, value[key], f"{where}.{key}")
        elif isinstance(pattern, list):
            assert isinstance(value, list), f"{where}: {value!r} is no array"
            assert len(pattern) == len(value), f"{where}: {value!r} instead of {len(pattern)} entries"
            for index, part in enumerate(pattern):
                self.match(part, value[index], f"{where}[{index}]")
        elif isinstance(pattern, str) and _PLACE.search(pattern):
            self._match_text(pattern, value, where)
        else:
            assert (type(value), value) == (type(pattern), pattern), f"{where}: {value!r} instead of {pattern!r}"

    def _match_text(self, pattern: str, value: Any, where: str) -> None:
        whole = _PLACE.fullmatch(pattern)
        if whole and whole[2] == "int":
            assert type(value) is int, f"{where}: {value!r} is no whole number"
        if whole and whole[2] in (None, "int"):
            self._learn(whole[1], value, where)
            return
        assert isinstance(value, str), f"{where}: {value!r} is no text"
        places = list(_PLACE.finditer(pattern))
        fixed = [re.escape(part) for part in _PLACE.split(pattern)[::3]]
        groups = [f"({_KINDS[place[2]]})" for place in places]
        found = re.fullmatch("".join(map("".join, zip(fixed, [*groups, ""], strict=True))), value, re.DOTALL)
        assert found, f"{where}: {value!r} instead of {pattern!r}"
        for place, text in zip(places, found.groups(), strict=True):
            self._learn(place[1], text, where)

    def _learn(self, name: str, value: Any, where: str) -> None:
        if name != _NAMELESS:
            known = self._values.setdefault(name, value)
            assert known == value, f"{where}: {value!r}, and {name} was {known!r} before"
