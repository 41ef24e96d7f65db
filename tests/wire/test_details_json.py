"""What readers see of a session besides its steps, and what is stored of it."""

import json

import pytest

from progress_sse.core.asks import ReaderAsk
from progress_sse.core.details import Details, FinishAt, Time, Timing
from progress_sse.wire.details_json import asked_requests, decode_details, encode_details, show_request, shown_details

ASKED_AT = "2026-01-02T03:04:05.678901+00:00"
REQUESTS = (
    ReaderAsk("b", "retry", None, "asked", ASKED_AT),
    ReaderAsk("a", "cancel", 2, "honoured", ASKED_AT, "wrong <folder>", "stopped"),
)


class TestRequests:
    """Those of a session."""

    def test_are_shown_behind_what_it_accepts(self) -> None:
        """The newest first, with the words that were given."""
        shown = shown_details(Details(title="t", accepts=("cancel", "retry"), requests=REQUESTS, is_cancelled=True))
        assert list(shown) == ["title", "accepts", "requests"]
        assert shown["requests"] == [show_request(each) for each in REQUESTS]
        assert show_request(REQUESTS[0]) == {
            "id": "b",
            "kind": "retry",
            "step": None,
            "state": "asked",
            "asked_at": ASKED_AT,
        }
        assert list(show_request(REQUESTS[1])) == ["id", "kind", "step", "state", "asked_at", "reason", "message"]

    def test_are_not_shown_where_there_are_none(self) -> None:
        """Nor is that the session accepts none."""
        assert shown_details(Details(title="t")) == {"title": "t"}

    def test_are_stored_with_all_that_is_known_of_them(self) -> None:
        """And that the server cancelled the session."""
        for is_cancelled in (False, True):
            details = Details(accepts=("cancel",), requests=REQUESTS, is_cancelled=is_cancelled)
            assert decode_details(encode_details(details)) == details

    def test_are_none_in_what_was_stored_before_there_were_any(self) -> None:
        """Which is written as it was, byte for byte."""
        stored = (
            b'{"title":"t","accepts":["cancel"],"is_finished":true,"claims":[["a",1000,null,[1,2]]],"replaced":["b"]}'
        )
        details = decode_details(stored)
        assert (details.requests, details.is_cancelled) == ((), False)
        assert encode_details(details) == stored

    def test_are_told_to_a_worker_that_has_not_seen_them(self) -> None:
        """In few words."""
        assert asked_requests(REQUESTS) == [{"id": "b", "kind": "retry", "step": None}]
        assert json.dumps(asked_requests(())) == "[]"


class TestTime:
    """How far a session is by time, and what that is worked out from."""

    TIME = Time(41, FinishAt(ASKED_AT, ASKED_AT), "history", 6)

    @pytest.mark.protocol("P-23.1")
    def test_is_shown_with_its_keys_in_order(self) -> None:
        """All of them, whatever is known."""
        finish_at = {"p50": ASKED_AT, "p90": ASKED_AT}
        shown = {"percentage": 41, "finish_at": finish_at, "basis": "history", "runs": 6}
        assert json.dumps(shown_details(Details(time=self.TIME))) == json.dumps({"time": shown})
        ended = self.TIME._replace(percentage=100, finish_at=None)
        assert json.dumps(shown_details(Details(time=ended))) == json.dumps(
            {"time": {**shown, "percentage": 100, "finish_at": None}}
        )

    def test_is_not_shown_with_what_it_is_worked_out_from(self) -> None:
        """The profile is for the server."""
        assert shown_details(Details(timing=Timing("p", 41, frozenset({2, 1}), has_taught=True))) == {}

    @pytest.mark.parametrize("time", [None, TIME, TIME._replace(finish_at=None)])
    @pytest.mark.parametrize("timing", [Timing(), Timing("日 p", 41, frozenset({2, 1}), has_taught=True)])
    def test_is_stored_with_it(self, time: Time | None, timing: Timing) -> None:
        """To the letter."""
        details = Details(title="t", time=time, timing=timing)
        assert decode_details(encode_details(details)) == details
