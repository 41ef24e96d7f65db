"""The reference pages say what the code says, those that are generated from it and those that are not."""

import re
import shutil
from pathlib import Path

import pytest

from docs import generate
from progress_sse.client import waiting_reports
from progress_sse.core import subscriptions
from progress_sse.core.history import MAX_CELLS, MAX_NAMES, MAX_PROFILES, MAX_WEEKS, MIN_RUNS
from progress_sse.notices import push
from progress_sse.notices.delivery import CONNECT_S, TRY_S
from progress_sse.notices.hooks_file import MAX_HOOKS
from progress_sse.notices.notifier import COMMANDS_PER_MINUTE
from progress_sse.notices.schedule import MAX_RETRY_AFTER_MS
from progress_sse.notices.sender import HOOK_TRIES, PUSH_TRIES
from progress_sse.notices.web_push import PADDED_BYTES
from progress_sse.server.connection_limits import MAX_HEAD_BYTES, MAX_HEADERS, MAX_PIPELINED, MAX_URL_BYTES
from progress_sse.server.uvicorn_server import RESERVED_DESCRIPTORS
from progress_sse.store import outbox
from progress_sse.wire import notice_json

ROOT = Path(__file__).parents[1]


def test_generated_pages_follow_from_the_code() -> None:
    """`make format` writes them."""
    generate.main(["--check"])


def test_a_difference_is_named(tmp_path: Path) -> None:
    """And the check leaves the file as it is; without `--check` the command repairs it."""
    docs = tmp_path / "docs"
    shutil.copytree(ROOT / "docs", docs, ignore=shutil.ignore_patterns("_build"))
    (tmp_path / "web" / "lib").mkdir(parents=True)
    for name in ("README.md", "llms.txt", "web/lib/wire.d.ts"):
        shutil.copy(ROOT / name, tmp_path / name)
    page = docs / "reference" / "settings.md"
    page.write_text("changed", "utf-8")
    (docs / "reference" / "metrics.md").unlink()
    with pytest.raises(SystemExit, match=r": reference/metrics\.md, reference/settings\.md would change"):
        generate.main(["--check"], docs)
    assert page.read_text("utf-8") == "changed"
    generate.main([], docs)
    generate.main(["--check"], docs)
    assert page.read_text("utf-8") == (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")


def test_the_index_for_language_models_leads_to_every_page() -> None:
    """Each link leads to a page, and each page is linked once."""
    links = re.findall(r"\]\((docs/[^)]+)\)", (ROOT / "llms.txt").read_text("utf-8"))
    pages = [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts]
    assert sorted(links) == sorted(set(pages) - {"docs/index.md"})


def test_the_page_on_the_tracker_lists_what_there_is() -> None:
    """All options and states of the trackers, and all attributes of the elements, and no others."""
    page = (ROOT / "docs" / "reference" / "tracker.md").read_text("utf-8")
    types = (ROOT / "web" / "lib" / "tracker-types.d.ts").read_text("utf-8")
    element = (ROOT / "web" / "lib" / "element.js").read_text("utf-8")
    of_lists = (ROOT / "web" / "lib" / "list-element.js").read_text("utf-8")

    def column(header: str) -> set[str]:
        [rows] = re.findall(rf"^\| {header} \|.*\n\| ---.*\n((?:\|.*\n)+)", page, re.MULTILINE)
        return {name for row in rows.splitlines() for name in re.findall(r"`([\w-]+)", row.split("|")[1])}

    [options] = re.findall(r"^export interface TrackerOptions {\n(.*?)^}", types, re.MULTILINE | re.DOTALL)
    assert column("option") == set(re.findall(r"^  (\w+)\?:", options, re.MULTILINE))
    [states] = re.findall(r"^export type TrackerState = (.*);$", types, re.MULTILINE)
    assert column("state") == set(re.findall(r"\w+", states))
    [attributes] = re.findall(r"observedAttributes = \[(.*?)\];", element, re.DOTALL)
    assert column("attribute") == set(re.findall(r"[\w-]+", attributes))
    [attributes] = re.findall(r"^const ATTRIBUTES = \[(.*?)\];", of_lists, re.MULTILINE | re.DOTALL)
    assert column("attribute of a list") == set(re.findall(r"[\w-]+", attributes))
    [filters] = re.findall(r"^export interface ListFilter {\n(.*?)^}", types, re.MULTILINE | re.DOTALL)
    [more] = re.findall(r"^export interface ListTrackerOptions\n(.*?)^}", types, re.MULTILINE | re.DOTALL)
    options = re.findall(r"^  (\w+)\?:", filters + more, re.MULTILINE) + re.findall(r'"(\w+)"', more)
    assert column("option of a list") == set(options)


def test_the_page_on_limits_has_the_numbers_of_the_code() -> None:
    """They are no settings, so no generated page has them."""
    page = " ".join((ROOT / "docs" / "reference" / "limits.md").read_text("utf-8").split())
    head, url = MAX_HEAD_BYTES // 1024, MAX_URL_BYTES // 1024
    assert f"a head of more than {head} KiB or {MAX_HEADERS} fields (431), a URL of more than {url} KiB (414)" in page
    assert MAX_PIPELINED == 10
    assert "more than ten requests that are sent ahead" in page
    assert f"the last {RESERVED_DESCRIPTORS} descriptors" in page
    assert f"the {MAX_PROFILES} profiles that were learned from last" in page
    assert f"it keeps {MAX_NAMES} names of steps" in page
    assert f"the last {MAX_WEEKS} weeks" in page
    assert f"At most {MAX_CELLS:,} counts" in page
    assert MIN_RUNS == 5
    assert "A step needs five runs" in page


def test_the_page_on_limits_has_the_numbers_of_workers() -> None:
    page = (ROOT / "docs" / "reference" / "limits.md").read_text("utf-8").replace("\n", " ")
    assert f"{waiting_reports.MAX_COMMAND_BYTES // 2**20} MiB of reports" in page
    assert f"the newest progress of {waiting_reports.MAX_ADVANCES:,} steps and parts" in page


def test_the_page_on_limits_has_the_numbers_of_notices() -> None:
    rows = (ROOT / "docs" / "reference" / "limits.md").read_text("utf-8").partition("\n## Notices\n")[2]
    numbers: list[object] = [
        MAX_HOOKS,
        f"{notice_json.MAX_BODY_BYTES // 1024} KiB",
        f"{notice_json.MAX_TEXT_CHARS} characters",
        outbox.MAX_IN_LANE,
        f"{outbox.MAX_WAITING:,} and {outbox.MAX_WAITING_BYTES // 2**20} MiB",
        f"{outbox.LIFETIME_MS // 86_400_000} days",
        outbox.MAX_DEAD,
        f"{HOOK_TRIES} of a hook, {PUSH_TRIES} of a browser vendor",
        f"{TRY_S:g} s; {CONNECT_S:g} s",
        "an hour" if MAX_RETRY_AFTER_MS == 3_600_000 else "",
        f"{COMMANDS_PER_MINUTE} a minute",
        f"{subscriptions.MAX_OF_CALLER}; {subscriptions.MAX_SUBSCRIPTIONS}",
        f"{push.MAX_SUBSCRIPTIONS:,} (then 507)",
        f"{subscriptions.MAX_ENDPOINT_CHARS} characters",
        f"{'a day' if push.LIFETIME_S == 86_400 else ''}; {PADDED_BYTES} bytes, to which each is padded",
    ]
    found = re.findall(r"^\| .* \| (.+) \|$", rows.partition("\n## ")[0], re.MULTILINE)
    assert found == ["---", *map(str, numbers)]
