"""Headers whose value is a list [RFC 9110 §5.6.1]."""

import re
from collections.abc import Sequence
from typing import Final

_ELEMENT: Final = re.compile(rb'(?:[^",]|"(?:[^"\\]|\\.)*"?)+', re.DOTALL)


def list_elements(values: Sequence[bytes]) -> Sequence[bytes]:
    """Return the elements of all values of a header; a comma inside of quotation marks separates none."""
    return _ELEMENT.findall(b",".join(values)) if values else ()
