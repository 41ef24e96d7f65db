"""The pure parts of the client commands, and the refusals of their options."""

import pytest
from click.testing import CliRunner

from progress_sse.cli.copied_streams import Tail
from progress_sse.cli.main import main
from progress_sse.story.plain_text import plain


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("one\n\ttwo ✅ 原稿生成\n", "one\n\ttwo ✅ 原稿生成\n"),
        ("\x1b[1;31mred\x1b[0m \x1b]0;title\x07\x1b]8;;http://h\x1b\\link\x1b(B\x1b7", "red link"),
        ("\x1bP+q544e\x1b\\a\x9b31mb\x00\x7f\x08", "a31mb"),
        ("  1%\r 50%\r100%\r\nnext\r\n", "100%\nnext\n"),
        ("abc\u202edef\u2066\u200f\u2028", "abcdef"),
        ("\r" * 500_000, ""),
        ("x\r" * 500_000, "x"),
        ("\x1b", ""),
    ],
)
def test_foreign_text_is_made_plain(text: str, left: str) -> None:
    """Characters, tabs and line ends are kept; terminal controls are removed."""
    assert plain(text) == left


def test_the_kept_end_of_the_output_begins_with_a_whole_line() -> None:
    """The pieces do not matter; invalid UTF-8 is replaced; a line that is too long is cut."""
    tail = Tail(12)
    for chunk in (b"first\nse", b"cond\nth\xff", b"ird\n"):
        tail.add(chunk)
    assert tail.text() == "th\N{REPLACEMENT CHARACTER}ird\n"
    tail.add(b"x" * 20)
    assert tail.text() == "x" * 12


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "--session", "a"], "Missing argument '-- COMMAND [ARGS]...'"),
        (["run", "--step", "0", "--", "true"], "0 is not in the range x>=1"),
        (
            ["run", "--step", "1", "--name", "a", "--", "true"],
            "--name and --profile are for a session that begins afresh",
        ),
        (["run", "--step", "1", "--profile", "a", "--", "true"], "--name and --profile are for a session that begins"),
        (["step", "a", "0", "start"], "0 is not in the range x>=1"),
        (["step", "a", "1", "stop"], "'stop' is not one of 'start', 'progress', 'complete', 'fail', 'skip'"),
        (["step", "a", "", "start"], "a step has a number or a name"),
        (["step", "a", "1", "skip", "--error", "e"], "--error is not for skip."),
        (["create", "a", "--label", "x"], "'x' is not of the form KEY=VALUE"),
        (["create", "a", "--link", "=x"], "'=x' is not of the form LABEL=URL"),
        (["create", "a", "--steps", "A", "--workflow", "w", "--url", "http://h"], "by steps or by a workflow"),
        (["create", "a"], "Name the server by --url, or by PROGRESS_SSE_URL."),
        (["create", "a/b", "--url", "http://h"], "A session id has no /"),
        (["finish", "a"], "Name the server by --url, or by PROGRESS_SSE_URL."),
        (["finish", "a/b", "--url", "http://h"], "A session id has no /"),
        (["step", "a", "1", "start", "--message", "a"], "--message is not for start."),
        (["step", "a", "1", "complete", "--timeout-ms", "1"], "--timeout-ms is not for complete."),
        (["step", "a", "1", "progress"], "progress needs --current."),
        (["step", "a", "1", "progress", "--current", "3", "--total", "2"], "--current must not be more than --total."),
        (["step", "a", "1", "start"], "Name the server by --url, or by PROGRESS_SSE_URL."),
        (["step", "a", "1", "start", "--url", "ftp://h"], "must be like http://host:8000"),
        (["step", "a/b", "1", "start", "--url", "http://h"], "A session id has no /"),
        (["list", "--label", "team"], "'team' is not of the form KEY:VALUE"),
        (["list", "--label", ":web"], "':web' is not of the form KEY:VALUE"),
        (["list", "--status", "not_found"], "'not_found' is not one of"),
        (["list", "--url", "ftp://h"], "must be like http://host:8000"),
        (["list", "more"], "unexpected extra argument"),
        (["list"], "Name the server by --url, or by PROGRESS_SSE_URL."),
    ],
)
def test_invalid_options_are_refused(arguments: list[str], sentence: str) -> None:
    """The exit code is that of a usage error, and no command is run."""
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code == 2
    assert sentence in refused.output
