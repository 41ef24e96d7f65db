"""The server and session: from arguments, then the environment; without either nothing is reported."""

import logging
from typing import Any

import pytest

from progress_sse.client.config import Address, address_of, is_disabled, link_to, session_of
from progress_sse.core.errors import ConfigurationError
from tests.client.shells import Shell

URL = "http://progress.example:8000"


@pytest.mark.parametrize(
    ("url", "token", "environ", "address"),
    [
        (None, None, {}, None),
        (None, None, {"PROGRESS_SSE_URL": ""}, None),
        (URL, None, {}, Address(URL, None)),
        (f"{URL}/jobs/", "t", {}, Address(f"{URL}/jobs", "t")),
        (None, None, {"PROGRESS_SSE_URL": URL, "PROGRESS_SSE_TOKEN": "t"}, Address(URL, "t")),
        (URL, "t", {"PROGRESS_SSE_URL": "http://other", "PROGRESS_SSE_TOKEN": "other"}, Address(URL, "t")),
    ],
)
def test_arguments_win_over_the_environment(
    url: str | None, token: str | None, environ: dict[str, str], address: Address | None
) -> None:
    """An empty value counts as not given, since an unset shell variable expands to that."""
    assert address_of(url, token, environ) == address


@pytest.mark.parametrize(
    "url",
    [
        "progress.example",
        "ftp://progress.example",
        "http://",
        "http://user:secret@h",
        "http://h:x",
        "http://h?a=b",
        "http://[",
        "http://h/secret\x1b]0;title\x07",
        "http://h/a secret",
    ],
)
def test_an_invalid_url_is_refused(url: str) -> None:
    """The error does not show it, since it may have a password in it."""
    with pytest.raises(ConfigurationError) as caught:
        address_of(url, None, {})
    assert "secret" not in str(caught.value)


def test_a_token_is_never_shown() -> None:
    """It is neither in a log nor in the report of a failed test."""
    assert "hush" not in f"{Address(URL, 'hush')} {Address(URL, 'hush')!r}"
    for token in ("hush\n", "hush ", " hush", "hüsh"):
        with pytest.raises(ConfigurationError) as caught:
            address_of(URL, token, {})
        assert token.strip() not in str(caught.value)


def test_the_session_comes_from_the_argument_or_the_environment() -> None:
    """It has to be valid."""
    environ = {"PROGRESS_SSE_SESSION": "from-environment"}
    assert session_of("given", environ) == "given"
    assert session_of(None, environ) == "from-environment"
    for unfit in (None, "a/b", ".."):
        with pytest.raises(ConfigurationError):
            session_of(unfit, {})


@pytest.mark.parametrize(
    ("argument", "variable", "expected"),
    [
        (None, "1", True),
        (None, "true", True),
        (None, "0", False),
        (None, "False", False),
        (None, "", False),
        (True, "0", True),
        (False, "1", False),
    ],
)
def test_reporting_can_be_switched_off(argument: bool | None, variable: str, expected: bool) -> None:
    """Both ways work, and the argument wins."""
    assert is_disabled(argument, {"PROGRESS_SSE_DISABLED": variable}) is expected


def test_the_link_leads_to_the_page_of_the_session() -> None:
    """This holds for every id."""
    assert link_to(Address(URL, None), "a b?") == f"{URL}/s/a%20b%3F"


@pytest.mark.parametrize("options", [{}, {"url": URL, "disabled": True}], ids=["no-url", "disabled"])
async def test_without_a_server_nothing_happens(
    shell: Shell, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Every method works, and one line gives the reason; no session is needed either."""
    caplog.set_level(logging.INFO, "progress_sse.client")
    progress = shell.progress(**options)
    assert await shell.track(progress.step(1), [1, 2]) == [1, 2]
    assert await shell.call(progress.step(2), lambda number: number + 1, 3) == 4
    assert await shell.flush(progress, 0)
    await shell.close(progress)
    [record] = caplog.records
    assert record.levelno == logging.INFO
    assert "not reported" in record.getMessage()
    assert (progress.link, progress.lost) == (None, 0)


async def test_the_link_is_logged(shell: Shell, caplog: pytest.LogCaptureFixture) -> None:
    """So the user who starts a job can follow it."""
    caplog.set_level(logging.INFO, "progress_sse.client")
    progress = shell.progress("import-42", url=URL)
    assert progress.link == f"{URL}/s/import-42"
    assert [record.getMessage() for record in caplog.records] == [f"progress is shown at {URL}/s/import-42"]


@pytest.mark.parametrize(
    ("session_id", "options"),
    [
        ("a/b", {"url": URL}),
        (None, {"url": URL}),
        ("a", {"url": "nonsense"}),
        ("a", {"url": URL, "steps": [1]}),
        ("a", {"url": URL, "steps": ["One"], "workflow": "report"}),
    ],
)
async def test_an_invalid_configuration_is_a_warning_or_an_error(
    shell: Shell, session_id: str | None, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """It ends the job only if the job asked for errors."""
    progress = shell.progress(session_id, **options)
    progress.step(1).start()
    assert (progress.session_id, progress.link) == ("", None)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("cannot report: ConfigurationError: ")
    with pytest.raises(ConfigurationError):
        shell.progress(session_id, on_error="raise", **options)


async def test_another_transport_needs_no_url(shell: Shell) -> None:
    """The transport has its own target."""
    fake, progress = shell.attached()
    progress.step(1).start()
    await shell.close(progress)
    assert [request.session_id for request in fake.requests] == ["a"]
