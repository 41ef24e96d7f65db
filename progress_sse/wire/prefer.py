"""`Prefer`: what a client would like the server to do, and the server may ignore [RFC 7240]."""

import re
from collections.abc import Sequence
from typing import Final

from progress_sse.wire.field_list import list_elements

MAX_WAIT_S: Final = 30
"""Seconds that a request waits at most, whatever it prefers: proxies end connections that are silent for long."""

_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_WORD: Final = rb'(?P<token>%b)|"(?P<quoted>(?:[^"\\]|\\.)*)"' % _TOKEN
_PREFERENCE: Final = re.compile(
    rb"[ \t]*(?P<name>%b)[ \t]*(?:=[ \t]*(?:%b)[ \t]*)?(?:;.*)?" % (_TOKEN, _WORD), re.DOTALL
)

_PAIR: Final = re.compile(rb"\\(.)", re.DOTALL)

_MAX_DIGITS: Final = 4


def preferred_wait_s(values: Sequence[bytes]) -> int:
    """Return for how many seconds a client is ready to wait, at most `MAX_WAIT_S`; 0 if it does not say so.

    Of several values the first one counts [§2], and one that is no number of seconds counts as none.

    Args:
        values: The values of `Prefer`.
    """
    for element in list_elements(values):
        preference = _PREFERENCE.fullmatch(element)
        if preference is not None and preference["name"].lower() == b"wait":
            return _seconds(preference["token"] or _PAIR.sub(rb"\1", preference["quoted"] or b""))
    return 0


def _seconds(text: bytes) -> int:
    if not text.isdigit():
        return 0
    digits = text.lstrip(b"0")
    return MAX_WAIT_S if len(digits) > _MAX_DIGITS else min(MAX_WAIT_S, int(digits or b"0"))
