"""What the log says of a store that is damaged."""

import pytest

from progress_sse.store import health
from progress_sse.store.health import DamageLog


def test_each_damaged_session_is_logged_and_counted_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is again once it was not met for a while, since it may have been repaired."""
    damage = DamageLog()
    for _ in range(3):
        for name in ("a", "b"):
            damage.record(name, ValueError("no number"))
    assert damage.count == 2
    assert [record.getMessage() for record in caplog.records] == [
        f"A stored value of '{name}' is damaged: ValueError: no number" for name in "ab"
    ]
    monkeypatch.setattr(health, "FORGET_S", -1)
    damage.record("a", ValueError("no number"))
    assert damage.count == 3


def test_a_bounded_number_of_them_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was met the longest ago is forgotten."""
    monkeypatch.setattr(health, "_MAX_KNOWN", 2)
    damage = DamageLog()
    for name in ("a", "b", "a", "c", "a", "b"):
        damage.record(name, None)
    assert damage.count == 4
