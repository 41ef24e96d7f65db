"""Recognises how far a command is by what it writes. Pure: no I/O, no threads.

It reads three sources, each of which silences those below it until the next step:

* lines for us: `::progress 3/8 text`, `::progress 42% text`, and `::step NAME`, which begins another step;
* the progress of terminals: `ESC ] 9 ; 4 ; state ; percent`, ended by BEL or ST;
* what programs draw for people, in the forms of `_DRAWN`. A form counts once its value has risen, so that a line of a
  log or of prose gives nothing. The first form that does is the only one. What may as well be attempts, a date or
  the use of a disk gives nothing either: see `_may_be_other`.

The share of a step never falls: a bar that begins afresh is not reported until it is beyond the last one.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from progress_sse.client.reports import fit_text
from progress_sse.core.details import MAX_TITLE_CHARS
from progress_sse.core.parts import MAX_PART_TEXT_CHARS
from progress_sse.core.updates import MAX_TOTAL_STEPS
from progress_sse.story.plain_text import one_line

MAX_LINE_BYTES: Final = 4096
"""Bytes that are kept of a line and of an escape sequence; a longer line shows no progress."""

_DRAWING, _TERMINAL, _OWN = range(3)  # The sources, the strongest last.
_WORDS: Final = {_TERMINAL: "the progress of terminals (OSC 9;4)", _OWN: "lines for progress-sse"}

# `re` compiles a pattern once it is needed, and keeps it: a command that shows nothing does not wait for that.
_DRAWN: Final = (
    ("apt's line of packages", False, rb"^Progress: \[ *(?P<percent>\d{1,3})%\](?P<text>)"),
    ("a percentage in brackets", False, rb"^\[ *(?P<percent>\d{1,3})%\] (?P<text>.*)"),
    ("a percentage in brackets at the end", False, rb"\[ *(?P<percent>\d{1,3})%\] *$"),
    ("counts in brackets", False, rb"^\[ *(?P<n>\d[\d,]{0,14}) ?/ ?(?P<of>\d[\d,]{0,14})\] (?P<text>.*)"),
    ("counts in words", False, rb"(?:\(|^Progress )(?P<n>\d{1,15}) of (?P<of>\d{1,15})(?:\)|$)"),
    ("wget's dots", False, rb"^ *\d{1,15}[KMG] [., ]+(?P<percent>\d{1,3})%(?P<text>)"),
    ("curl's meter", True, rb"^ *(?P<percent>\d{1,3})(?: +[\d.]+[kMGTP]?){7} +[\d:dh-]{7,8} (?P<text>)"),
    ("dd's bytes", True, rb"^(?P<n>\d{1,15}) bytes .*copied(?P<text>)"),
    ("cargo's bar", True, rb"^ *Building \[[=> ]*\] (?P<n>\d{1,15})/(?P<of>\d{1,15}): (?P<text>.*)"),
    ("tqdm's bar", True, rb"\d{1,3}%\|[^|]*\| *(?P<n>\d{1,15})/(?P<of>\d{1,15}) \[.*"),
    ("pip's bar", True, rb"\xe2[\x94\x95]. (?P<n>\d{1,9}\.\d)/(?P<of>\d{1,9}\.\d) [kMGT]B(?P<text>)"),
    ("a percentage in a redrawn line", True, rb"(?:^|(?<=[\s:(|\[]))(?P<percent>\d{1,3})(?:\.\d+)?%(?![^\s|\[\](),])"),
    ("counts in a redrawn line", True, rb"\((?P<n>\d{1,15})/(?P<of>\d{1,15})\)"),
)
"""For each form its words, whether only a redrawn line has it, and its pattern; `tests/programs` has real outputs.

It gives a `percent`, or the number `n`, where there is a total `of` this. Without a `text` the message is what the line
has beside the match and its bar.
"""

_NOT_IN_NAMES: Final = rb"(?i)(?<![\w./-])(?:%b)(?![\w/-]|\.\w)"
_ATTEMPTS: Final = _NOT_IN_NAMES % (
    rb"re-?tr(?:y|ies|ying)|tr(?:y|ies|ying)|attempt(?:s|ed|ing)?|again|fail(?:ed|s|ing)?|failures?|errors?|refused|unreachable"
    rb"|unavailable|timed out|time-?out|wait(?:ing)?|re-?connect(?:ing)?"
)
_USE: Final = _NOT_IN_NAMES % (
    rb"us(?:ed?|age)|utili[sz]ation|memory|mem|ram|heap|swap|disks?|cpus?|battery|quota|full|free"
)
_OTHER_WORDS: Final = {
    "a percentage in brackets": _USE,
    "a percentage in brackets at the end": _USE,
    "counts in brackets": _ATTEMPTS,
    "counts in words": _ATTEMPTS,
    "counts in a redrawn line": _ATTEMPTS,
}
"""Words beside a form that make it no progress, unless they are a part of a file's name."""

_MAX_DOUBTFUL_TOTAL: Final = 12
"""Months of a date; attempts, which some programs count in brackets, are fewer."""

_PREPARATIONS: Final = rb"(?:remote: )?(?:Counting|Compressing) objects|\(?Reading |Building dependency|0% \[Working"
"""Short bars of git and apt before the one that matters, at the beginning of a line."""

_OWN_LINE: Final = rb"::progress +(?:(?P<n>\d{1,15})/(?P<of>\d{1,15})|(?P<percent>\d{1,3})(?:\.\d+)?%)(?P<text> .*)?$"
_BAR: Final = r"\[[#=>. -]{3,}\]|[#=.]{3,}|[\u2501\u2578\u257a\u2580-\u259f]+|\( *\)|\|"

_COLOURS: Final = rb"\x1b\[(?:[0-9;]*m|0?K)"
_TOKENS: Final = (
    rb"\r*(?P<line>\n)|(?P<redraw>\r+|\x08{3,}|\x1b\[[0-9;]*[AFGf]|\x1b\[[12]K)"
    rb"|\x1b\[\?(?:1049|47)(?P<screen>[hl])|\x1b\]9;4;(?P<terminal>[0-9;]{0,9})(?:\x07|\x1b\\)"
    rb"|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]P^_X][^\x07\x1b\r\n]*(?:\x07|\x1b\\)"
    rb"|(?P<unfinished>\x1b(?:\[[0-?]*[ -/]*|[\]P^_X][^\x07\x1b\r\n]*\x1b?|[ -/]*)\Z)|\x1b(?:[ -/]*[0-~])?"
)
"""Ends of lines, moves within them, and escape sequences [ECMA-48 §5.4, §5.6]."""

_REDRAWN_HINTS: Final = (b"%", b"/", b":", b" bytes ")
_HINT_BYTES: Final = (b"%", b"[", b"(", b":", b"P")
_HINT: Final = rb"%\]|\.\.\.\.\.|\[ *\d[\d,]* ?/|\(\d+ of |::(?:step|progress) |Progress \d"
"""What a line has that shows progress and is not redrawn; a search for single bytes is thirty times as fast."""

_Value: TypeAlias = tuple[int, int | None]


class Found(NamedTuple):
    """How far the command is: `current` of `total` units, of 100 for a percentage, of `None` if it is unknown.

    `step` is the name that `::step` gave; `None`: the command's own step. A `message` of `None` leaves it as it is.
    `is_in_tab`: the command itself shows it in the tab of its terminal.
    """

    step: str | None
    current: int
    total: int | None
    message: str | None
    is_in_tab: bool = False


class _Seen(NamedTuple):
    """The last value of a form, and the text beside it; `is_from_start` if the values have risen from 0 or 1."""

    value: _Value
    text: str | None
    is_from_start: bool


class OutputProgress:
    """Calls `report` when a step begins or its share rises.

    Attributes:
        recognised: What shows the progress, in words; `None` while nothing does.
    """

    def __init__(self, report: Callable[[Found], None]) -> None:
        """Begin with the command's own step, and nothing found."""
        self.recognised: str | None = None
        self._report = report
        self._furthest: dict[str | None, Found] = {None: Found(None, 0, None, None)}
        self._begin(None)

    def receiver(self) -> Callable[[bytes], None]:
        """Return a receiver for one of the streams, which takes it piece by piece, and an empty piece at the end."""
        return _Stream(self).receive

    def see_line(self, line: bytes, *, is_redrawn: bool, is_complete: bool = True) -> None:
        """Take in a line without escapes; of one that is not complete, only the form that counts already."""
        if line.startswith(b"::"):
            if is_complete:
                self._see_own(line.rstrip())
        elif self._source == _DRAWING and (is_complete or self._form):
            self._see_drawn(line, is_redrawn)

    def see_terminal(self, values: bytes) -> None:
        """Take in an OSC 9;4: state 1 sets the percentage, 2 is an error, 4 a pause; the others have none."""
        state, _, percent = values.partition(b";")
        if state in (b"1", b"2", b"4") and percent.isdigit() and int(percent) <= 100 and self._source <= _TERMINAL:
            self._advance(_TERMINAL, (int(percent), 100), None)

    def _see_own(self, line: bytes) -> None:
        if (match := re.match(_OWN_LINE, line)) and (value := _value(match)):
            self._advance(_OWN, value, _shown(match["text"] or b""))
        elif line.startswith(b"::step ") and (name := _shown(line[7:], MAX_TITLE_CHARS)) and name != self._step:
            self.recognised = _WORDS[_OWN]
            if name not in self._furthest and len(self._furthest) <= MAX_TOTAL_STEPS:
                self._furthest[name] = Found(name, 0, None, None)
                self._report(self._furthest[name])
            if name in self._furthest:
                self._begin(name)

    def _begin(self, step: str | None) -> None:
        self._step = step
        self._source = _DRAWING
        self._form: str | None = None
        self._seen: dict[str, _Seen] = {}

    def _see_drawn(self, line: bytes, is_redrawn: bool) -> None:
        if is_redrawn and (not any(map(line.__contains__, _REDRAWN_HINTS)) or re.match(_PREPARATIONS, line)):
            return
        for words, needs_redrawn, pattern in _DRAWN:
            is_possible = self._form in (None, words) and needs_redrawn <= is_redrawn
            if is_possible and (match := re.search(pattern, line)):
                others = _OTHER_WORDS.get(words)
                if (value := _value(match)) and not (others and re.search(others, line)):
                    message = _message(match)
                    if self._counts(words, _Seen(value, message, value[0] <= 1), match):
                        self._form = words
                        self._advance(_DRAWING, value, message)
                return

    def _counts(self, words: str, seen: _Seen, match: re.Match[bytes]) -> bool:
        """Return whether a value of a form counts: once the form is the one that shows progress, or if it has risen."""
        before = self._seen.get(words)
        self._seen[words] = seen
        if before is not None and before.value[1] == seen.value[1] and before.value[0] <= seen.value[0]:
            self._seen[words] = seen = seen._replace(is_from_start=before.is_from_start)
            has_risen = before.value[0] < seen.value[0] and not _may_be_other(words, seen, before.text, match)
            return self._form is not None or has_risen
        return self._form is not None

    def _advance(self, source: int, value: _Value, message: str | None) -> None:
        """Report a value if the share of the step rises by it, or if a line for us changes the message alone."""
        self._source = source
        self.recognised = _WORDS.get(source, self._form)
        last = self._furthest[self._step]
        has_other_text = source == _OWN and value == last[1:3] and message not in (None, last.message)
        current, total = value
        if total is None:
            rises = current > last.current
        else:
            rises = last.total is None or current * last.total > last.current * total
        if has_other_text or rises:
            self._furthest[self._step] = found = Found(self._step, *value, message, source == _TERMINAL)
            self._report(found)


class _Stream:
    """The lines of a stream, of which it keeps the one that is not complete."""

    def __init__(self, progress: OutputProgress) -> None:
        self._progress = progress
        self._text = b""  # Of the line, at most `MAX_LINE_BYTES`.
        self._pending = b""  # The beginning of an escape sequence, or of a line end.
        self._is_redrawn = False
        self._is_screen = False  # Of a program that draws on all of the terminal.

    def receive(self, chunk: bytes) -> None:
        """Take in the next piece; the end, which is empty, completes the line."""
        data = self._pending + chunk
        self._pending = b""
        if not chunk:
            self._end_line(is_redrawn=data.startswith((b"\r", b"\b")))
            return
        is_drawing = b"\x1b" in data or b"\r" in data or b"\b" in data
        if is_drawing:
            whole = data.rstrip(b"\r\b")
            self._pending = data[len(whole) :][-3:]
            data = re.sub(_COLOURS, b"", whole.replace(b"\r\n", b"\n"))
            is_drawing = b"\x1b" in data or b"\r" in data or b"\b" in data
        (self._receive_drawing if is_drawing else self._receive_lines)(data)
        if self._is_redrawn and len(self._text) < MAX_LINE_BYTES and not self._is_screen:
            self._progress.see_line(self._text, is_redrawn=True, is_complete=False)

    def _receive_lines(self, data: bytes) -> None:
        lines = [data]
        if b"\n" in data and _may_show_progress(data):
            lines = data.split(b"\n")
        elif b"\n" in data:  # Only the first and the last one may go on elsewhere.
            lines = [data[: data.index(b"\n")], data[data.rindex(b"\n") + 1 :]]
        for line in lines[:-1]:
            self._add(line)
            self._end_line()
        self._add(lines[-1])

    def _receive_drawing(self, data: bytes) -> None:
        position = 0
        for token in re.finditer(_TOKENS, data):
            self._add(data[position : token.start()])
            position = token.end()
            kind = token.lastgroup
            if kind == "terminal":
                self._progress.see_terminal(token["terminal"])
            elif kind == "unfinished":
                self._pending = token[0][:MAX_LINE_BYTES] + self._pending
            elif kind:
                self._end_line(is_redrawn=kind == "redraw")
                self._is_redrawn = kind == "redraw"
                self._is_screen = token["screen"] == b"h" if kind == "screen" else self._is_screen
        self._add(data[position:])

    def _add(self, text: bytes) -> None:
        if text and len(self._text) < MAX_LINE_BYTES:
            self._text = (self._text + text)[:MAX_LINE_BYTES]

    def _end_line(self, *, is_redrawn: bool = False) -> None:
        line = self._text
        self._text = b""
        is_redrawn = is_redrawn or self._is_redrawn
        self._is_redrawn = False
        is_short = len(line) < MAX_LINE_BYTES or line.startswith(b"::")
        if is_short and not self._is_screen and (is_redrawn or _may_show_progress(line)):
            self._progress.see_line(line, is_redrawn=is_redrawn)


def _may_show_progress(text: bytes) -> bool:
    return any(map(text.__contains__, _HINT_BYTES)) and re.search(_HINT, text) is not None


def _value(match: re.Match[bytes]) -> _Value | None:
    """Return the value of a form or of a line for us; `None`: there is no such share, as with 0/0."""
    groups = match.groupdict()
    if percent := groups.get("percent"):
        return (int(percent), 100) if int(percent) <= 100 else None
    current, total = (float(groups.get(name, b"").replace(b",", b"") or -1) for name in ("n", "of"))
    if total < 0:
        return int(current), None
    if not 0 < total >= current:
        return None
    return (int(100 * current / total), 100) if b"." in groups["n"] else (int(current), int(total))


def _may_be_other(words: str, seen: _Seen, text_before: str | None, match: re.Match[bytes]) -> bool:
    """Return whether a form that has risen may show something else than progress.

    The text beside the number of an attempt stays the same, but for its time. A date has a zero before the day, or does
    not begin at 1. The use of a disk begins anywhere, and so do the bars of make and pytest, which have three places
    for the number.
    """
    if "percentage in brackets" in words:
        return not seen.is_from_start and b"[%b%%]" % match["percent"].rjust(3) not in match[0]
    is_repeated = _without_times(seen.text) == _without_times(text_before) != ""
    if words == "counts in brackets":
        is_date = match["n"].startswith(b"0") or not seen.is_from_start
        return (seen.value[1] or 0) <= _MAX_DOUBTFUL_TOTAL and (is_repeated or is_date)
    return words == "counts in words" and is_repeated


def _without_times(text: str | None) -> str:
    return re.sub(r"\d{4}-\d\d-\d\dT?|\d{1,2}(?::\d\d)+(?:[.,]\d+)?Z?", "", text or "").strip()


def _message(match: re.Match[bytes]) -> str | None:
    if "text" in match.re.groupindex:
        return _shown(match["text"])
    line = match.string[: match.start()] + b" " + match.string[match.end() :]
    return _shown(re.sub(_BAR, " ", line.decode(errors="replace")).rstrip(" :").encode())


def _shown(text: bytes, most: int = MAX_PART_TEXT_CHARS) -> str | None:
    return fit_text(" ".join(one_line(text.decode(errors="replace")).split()), most) or None
