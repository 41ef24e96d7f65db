"""What is recognised in the outputs of real programs, and that nothing is in others.

`tests/programs` has the outputs, and how they were recorded.
"""

import subprocess
import sys
import tracemalloc
from collections.abc import Callable

import pytest

from progress_sse.cli.output_progress import MAX_LINE_BYTES, Found, OutputProgress
from progress_sse.core.details import MAX_TITLE_CHARS
from progress_sse.core.parts import MAX_PART_TEXT_CHARS
from progress_sse.core.updates import MAX_TOTAL_STEPS
from tests.programs.commands import PROGRAMS, Program
from tests.programs.record import PAGE, RECORDINGS, found_in, recording, with_table

NAMES = [program.name for program in PROGRAMS]

UNFINISHED = {"7z": 99, "apt-get-install": 89, "aria2c": 90, "cargo": 90, "dd": 0, "pv": 100}
"""Percentages that these programs reach at least before they end; the others show 100."""


def values(*chunks: bytes) -> list[tuple[int, int | None]]:
    return [(each.current, each.total) for each in found_in(*chunks)[1]]


def pieces(output: bytes, size: int = 1) -> list[bytes]:
    return [output[at : at + size] for at in range(0, len(output), size)]


def drawn(*states: str) -> bytes:
    """A line that is drawn over itself, and has these states."""
    return "".join(f"\r{state}" for state in states).encode()


def test_each_program_has_a_recording() -> None:
    """A small one."""
    assert {each.name for each in RECORDINGS.iterdir()} == set(NAMES)
    assert all(len(recording(name)) <= 20_000 for name in NAMES)


@pytest.mark.parametrize("program", PROGRAMS, ids=NAMES)
def test_a_real_program_is_recognised(program: Program) -> None:
    """Its values rise, to its end; there are at least three, and its messages are harmless."""
    words, found = found_in(recording(program.name))
    assert words
    assert len(found) >= 3
    shares = [each.current / (each.total or 1) for each in found]
    assert shares == sorted(set(shares))
    assert 100 * shares[-1] >= UNFINISHED.get(program.name, 100)
    texts = [each.message or "" for each in found]
    assert all(text.isprintable() and len(text) <= MAX_PART_TEXT_CHARS for text in texts)


@pytest.mark.parametrize("name", NAMES)
def test_the_pieces_of_an_output_do_not_matter(name: str) -> None:
    """Byte by byte, in pieces, and cut at any byte: escapes, characters and line ends are cut, too."""
    output = recording(name)
    whole = values(output)
    assert [values(*pieces(output, size)) for size in (1, 7, 100)] == [whole] * 3
    assert all(values(output[:at], output[at:]) == whole for at in range(1, len(output), 1 + len(output) // 100))


@pytest.mark.parametrize(
    ("name", "messages"),
    [
        ("7z", {"+ served/1"}),
        ("cargo", {"page(build.rs), album(build)"}),
        ("cmake", {"Building C object CMakeFiles/photos.dir/page_2.c.o"}),
        ("curl", {None}),
        ("git-rebase", {"Rebasing"}),
        ("ninja", {"Drawing page-7"}),
        ("tqdm", {"Photos"}),
    ],
)
def test_the_text_beside_a_bar_is_the_message(name: str, messages: set[str | None]) -> None:
    assert messages <= {each.message for each in found_in(recording(name))[1]}


def test_a_bar_that_begins_afresh_does_not_fall() -> None:
    """Of two downloads by pip and of two loops of tqdm, the first one counts."""
    assert values(recording("pip-raw"))[-1] == (1_200_619, 1_200_619)
    assert values(recording("tqdm"))[-1] == (150, 150)
    assert values(drawn("10%", "60%", "20%", "70%")) == [(60, 100), (70, 100)]


NOTHING = {
    "prose": b"About 42% of them failed.\nAbout 43% of them failed.\n",
    "a percentage at the end of lines": b"the disk is at 42%\nthe disk is at 43%\n",
    "clocks": b"12:34/56 start\n12:35/56 stop\n",
    "a log": b"[1/2] done\n[1/3] done\n[2/5] done\n",
    "attempts by their words": b"failed, retrying (1 of 5)\nfailed, retrying (2 of 5)\nTry once more (3 of 5)\n",
    "attempts of many": b"Waiting for the database (1 of 60)\nWaiting for the database (2 of 60)\n",
    "attempts in brackets": b"[1/3] attempt\n[2/3] attempt\n[1/3] Attempt 1 of x\n[2/3] Attempt 2 of y.\n",
    "attempts by the same text": b"Ping (1 of 5)\nPing (2 of 5)\n[1/3] ping\n[2/3] ping\n[3/3] ping\n",
    "attempts that are redrawn": drawn("Retrying (1/5)", "Retrying (2/5)", "Retrying (3/5)"),
    "attempts at a time": b"12:00:01 Ping (1 of 50)\n12:00:02 Ping (2 of 50)\n12:00:03 Ping (3 of 50)\n",
    "days": b"[01/12] backup of a\n[02/12] backup of b\n[03/12] backup of c\n",
    "days of two digits": b"[10/12] backup of a\n[11/12] backup of b\n[12/12] backup of c\n",
    "the use of a disk": b"[41%] /dev/sda1\n[42%] /dev/sda1\n/dev/sda2 [43%]\n/dev/sda2 [44%]\n",
    "the use of memory": b"memory [  1%]\nmemory [  2%]\n[ 41%] of memory\n[ 42%] of memory\n[ 43%] RAM used\n",
    "counts that fall": b"[3/3] done\n[2/3] done\n[1/3] done\n",
    "css": b"a { width: 50%; }\nb { width: 100% }\n.c { left: 60%; right: calc(100% - 2em) }\n",
    "df": b"/dev/sda1  20G  8.1G  12G  42% /\ntmpfs  2.0G  1.3G  0.7G  63% /tmp\n",
    "df on a terminal": b"/dev/sda1  20G  8.1G  12G  42% /\r\ntmpfs  2.0G  1.3G  0.7G  63% /tmp\r\n",
    "top": b"\x1b[H\x1b[2J%Cpu(s): 2.0 us\x1b[K\r\n 17 root 42.0%\x1b[K\r\n\x1b[H%Cpu(s): 5.0 us 43.0%\x1b[K\r\n",
    "percentages in lines with brackets": b"load 42% [0%] ok\nload 43% [0%] ok\n",
    "a full screen": b"\x1b[?1049h\x1b[3;1f12%\x1b[3;1f42%\x1b[3;1f60%\x1b[?1049l",
    "coverage": b"a.py      10      5    50%\nb.py      10      1    90%\nTOTAL     20      6    70%\n",
    "dates": b"(11/12) Monday\n(12/12) Tuesday\n12/11 Wednesday\n",
    "addresses": b"GET /a%20b 10%20c\nGET /a%30b\n",
    "redrawn addresses": drawn("/a/10%20b", "/a/20%20b", "/a/30%20b"),
    "a manual": b"       -p     show the progress, as in [ 42%] or 42% [===>    ]\n       1/2    see also (1 of 2)\n",
    "bold type": b"4\b42\b2%\b% is\n5\b53\b3%\b% is\n",
    "a test summary": b"====== 12 passed, 3 failed (80%) in 1.2s ======\nTests: 3/12\n",
    "git diff --stat": b" a.py | 12 +++++-----\n b.py | 42 ++++%%%%\n 2 files changed, 42 insertions(+)\n",
    "git renames": b" rename a => b (42%)\n rename c => d (97%)\n",
    "warnings of a compiler": b"a.c:3:5: x [-Wunused]\n\x1b[01m\x1b[Kb.c:4:5:\x1b[m\x1b[K warning: 50% [-Wfoo]\n",
    "prose with parts": b"This is the first part (1 of 2).\nThe end.\n",
    "formats of printf": b'printf("%d%%", 5);\nprintf("%3d%%\\r", 6);\n',
    "c": b"int a[3]; a[1] = 4 % 3; a[2] = 5 % 3; /* [1/2] */\n",
    "a list in Python": b"[12/340, 13/340]\n[13/340, 14/340]\n",
    "json": b'{"percent": "42%", "done": [1, 2]}\n{"percent": "43%", "done": [2, 2]}\n',
    "a spinner": drawn("|", "/", "-", "\\") * 3,
    "a redrawn clock": drawn("00:01", "00:02", "00:03"),
    "a download of unknown length": drawn("  1024 KB  100 KB/s", "  2048 KB  100 KB/s"),
    "one state": drawn("42%") + b"\n",
    "the same state": drawn("42%", "42%", "42%") + b"\n",
    "more than all": drawn("142%", "143%", "199%") + b"[7/3] a\n[8/3] b\n(7 of 3)\n(8 of 3)\n",
    "of nothing": b"[0/0] a\n[1/0] b\n::progress 0/0\n::progress 7/3\n::progress 101%\n",
    "long numbers": b"[%b/%b] a\n" % (b"1" * 5000, b"2" * 5000) + drawn("1" * 5000 + "%", "2" * 5000 + "%"),
    "medium numbers": b"[%b/9] a\n" % (b"1" * 50) + b"::progress %b/%b\n" % (b"1" * 50, b"2" * 50),
    "the title of a terminal": b"\x1b]0;42%\x07\x1b]0;50%\x07\x1b]9;41;1;60\x07",
    "no values for terminals": b"\x1b]9;4;0\x07\x1b]9;4;3\x07\x1b]9;4;1\x07\x1b]9;4;1;101\x07\x1b]9;4;x;5\x07",
    "words alike": b"x ::progress 1/2\n::progress\n::progress 1\n::progressing 1/2\n::step\n::step  \n",
    "binary": bytes(range(256)) * 40 + b"\xff\xfe%\r\xff 42%\xff\r\xff 43%\xff\r",
}


@pytest.mark.parametrize("output", NOTHING.values(), ids=NOTHING)
def test_what_shows_no_progress_gives_nothing(output: bytes) -> None:
    """Whole, and byte by byte."""
    assert found_in(output) == (None, [])
    assert found_in(*pieces(output)) == (None, [])


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (b"(1 of 40)\n(2 of 40)\n(3 of 40)\n", [(2, 40), (3, 40)]),
        (b"a.jpg (1 of 5)\nb.jpg (2 of 5)\n", [(2, 5)]),
        (b"[1/3] Resolve\n[2/3] Fetch\n[3/3] Link\n", [(2, 3), (3, 3)]),
        (b"[1/3] CXX src/retry.cc\n[2/3] CXX attempt.cc.o\n[3/3] Link try-again\n", [(2, 3), (3, 3)]),
        (b"[001/340] a\n[002/340] b\n", [(2, 340)]),
        (b"[11/340] a\n[12/340] a\n", [(12, 340)]),
        (b"[ 10%] C disk_usage.c\n[ 20%] C lib/memory.c\n[100%] Link\n", [(20, 100), (100, 100)]),
        (b"test_memory.py ... [ 50%]\nmem/test_disk.py ... [100%]\n", [(100, 100)]),
        (b"[0%] a\n[10%] a\n[20%] a\n", [(10, 100), (20, 100)]),
        (b"[1 / 1,340] a\n[1,200 / 1,340] b\n", [(1200, 1340)]),
        (drawn("1% a", "2% b") + b"\x1b[1A\x1b[2K3% c\x1b[G4%\x1b[2K5%", [(n, 100) for n in (2, 3, 4, 5)]),
        (
            b"\x1b]9;4;1;5\x07\x1b]9;4;3\x07\x1b]9;4;2\x1b\\\x1b]9;4;2;30\x1b\\\x1b]9;4;4;40\x07\x1b]9;4;0;\x07",
            [(5, 100), (30, 100), (40, 100)],
        ),
        (b"::progress 0/8\n::progress 3/8 b\n::progress 3/8 c\n::progress 3/8 c\n", [(0, 8), (3, 8), (3, 8)]),
        (b"10%\r20%\r\n30%\r", [(20, 100), (30, 100)]),
        (b"\r::progress 1/23 a\n", [(1, 23)]),
        (b"::progress 12.7% a\n::progress 3% b\n::progress 42%", [(12, 100), (42, 100)]),
        (b"::progress 3/8\n::progress 3/10\n::progress 4/10\n", [(3, 8), (4, 10)]),
    ],
)
def test_other_forms_are_recognised(output: bytes, expected: list[tuple[int, int]]) -> None:
    """Counts in words, bazel's, moves of the cursor, the progress of terminals, and lines for us."""
    assert values(output) == values(*pieces(output)) == expected


def test_a_stronger_source_silences_weaker_ones() -> None:
    """What a program draws, the progress of terminals, and lines for us."""
    output = drawn("10%", "20%") + b"\n\x1b]9;4;1;30\x07" + drawn("40%") + b"\n::progress 5/10\n\x1b]9;4;1;60\x07"
    assert values(output + drawn("70%")) == [(20, 100), (30, 100), (5, 10)]
    assert found_in(output)[0] == "lines for progress-sse"


def test_the_first_form_is_the_only_one() -> None:
    """Others may be a part of it."""
    output = b"[1/4] a\n[2/4] b\n" + drawn("10%", "60%") + b"\n[3/4] c\n"
    assert found_in(output) == ("counts in brackets", [Found(None, 2, 4, "b"), Found(None, 3, 4, "c")])


def test_a_program_makes_steps() -> None:
    """Each has a share of its own, and recognises anew; one that comes again goes on."""
    first = b"[1/4] a\n::progress 9/9\n::step Copy\n[2/4] b\n::progress 1/2 c\n"
    later = b"::step Check\n%b\n::step Copy\n::progress 0/2\n" % drawn("1%", "2%")
    assert found_in(first, later)[1] == [
        Found(None, 9, 9, None),
        Found("Copy", 0, None, None),
        Found("Copy", 1, 2, "c"),
        Found("Check", 0, None, None),
        Found("Check", 2, 100, None),
    ]


def test_streams_have_lines_of_their_own() -> None:
    """And share what they show."""
    found: list[Found] = []
    progress = OutputProgress(found.append)
    out, err = progress.receiver(), progress.receiver()
    for receive, chunk in [(out, b"[1/"), (err, b"[2/4"), (out, b"4] a\n"), (err, b"] b\n"), (out, b"[3/4] c")]:
        receive(chunk)
    assert found == [Found(None, 2, 4, "b")]
    out(b"")
    assert found[1:] == [Found(None, 3, 4, "c")]


def test_a_redrawn_line_counts_before_its_next_state() -> None:
    """Once its form is known; otherwise a slow loop would be shown one state late."""
    found: list[Found] = []
    receive = OutputProgress(found.append).receiver()
    for state in ("a: 10%", "a ( 20%) [==>  ] b", "30% c", "40% d"):
        receive(drawn(state))
    assert [each[1:4] for each in found] == [(20, 100, "a b"), (30, 100, "c"), (40, 100, "d")]


def test_texts_are_harmless_and_bounded() -> None:
    """Without escapes, control characters and changes of the direction; names of steps, too."""
    hostile = "\x1b[31mred\x1b[0m \x1b]8;;http://a.test\x07\u202etext\x00\x9b " + "x" * 3000
    _, found = found_in(f"::step {hostile}\n::progress 1/2 {hostile}\n".encode())
    assert [each.step for each in found] == [found[0].step] * 2
    for text, most in ((found[0].step, MAX_TITLE_CHARS), (found[1].message, MAX_PART_TEXT_CHARS)):
        assert text is not None
        assert len(text) == most
        assert text.startswith("red text xxx")
        assert text.isprintable()


def test_steps_are_bounded() -> None:
    """Their number is that of a session."""
    output = b"".join(b"::step %d\n" % number for number in range(MAX_TOTAL_STEPS + 10))
    assert len(values(output)) == MAX_TOTAL_STEPS


def feed(receive: Callable[[bytes], None], chunks: list[bytes]) -> None:
    for chunk in chunks:
        receive(chunk)


HOSTILE = {
    "no line end": b"x",
    "percents": b" 1%",
    "backspaces": b"x\b\b\b",
    "carriage returns": b"\r",
    "unfinished strings": b"\x1b]9;4;1;",
    "escapes": b"\x1b[",
    "brackets": b"[1/",
    "bars": "━".encode(),
    "spaces": b"[ ",
}


@pytest.mark.parametrize("start", [b"", b"\r1% a\r2% b\r", b"\x1b]0;"], ids=["plain", "redrawn", "string"])
@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_an_endless_line_takes_little(piece: bytes, start: bytes) -> None:
    """Its memory is bounded; then the next line counts as usual."""
    progress = OutputProgress(lambda _: None)
    receive = progress.receiver()
    tracemalloc.start()
    feed(receive, [start, (piece * 65_536)[:65_536], (piece * 65_536)[:65_536]])
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 5 * MAX_LINE_BYTES
    receive(b"\n::progress 1/2\n")
    assert progress.recognised == "lines for progress-sse"


def test_output_without_a_mark_of_progress_needs_no_regular_expression() -> None:
    """Else each command would wait until they are compiled, and floods would take twenty times as long."""
    code = """if True:
        import progress_sse.client.sync
        import re
        re.compile = None
        from progress_sse.cli.output_progress import OutputProgress
        OutputProgress(print).receiver()(b"line\\n" * 100)
        """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_documents_have_the_table_of_the_programs() -> None:
    """`make recordings` writes it."""
    page = PAGE.read_text("utf-8")
    assert with_table(page) == page
    assert all(f"`{program.shown}`" in page for program in PROGRAMS)
