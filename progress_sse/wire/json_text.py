"""JSON as text on one line."""

from typing import Final

from pydantic_core import to_json

_ESCAPES: Final = tuple((char.encode(), b"\\u%04x" % ord(char)) for char in "<\N{NEXT LINE}\u2028\u2029")
"""Characters in a string that some clients misread: `<` begins markup, the others end a line in Unicode."""


def encode_json(value: object) -> bytes:
    """Return compact JSON in UTF-8, on one line: line ends in strings are escaped, as are control characters and `<`.

    None of these can occur outside a string, so the whole text can be searched for them. A number that is infinite, or
    none, becomes `null`.
    """
    data = to_json(value, inf_nan_mode="null")
    # The bytes that these characters begin with. Most data has none of them, and this check costs almost nothing.
    if 0x3C in data or 0xC2 in data or 0xE2 in data:
        for char, escape in _ESCAPES:
            data = data.replace(char, escape)
    return data
