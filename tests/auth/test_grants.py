"""The sessions and actions that a grant covers."""

import pytest
from pydantic import ValidationError

from progress_sse.auth.grants import EVERYTHING, Grant, is_one_of

COVERED = [
    ({"sessions": ["a"]}, ["a"], ["", "aa", "A", "b", None]),
    ({"sessions": ["*", "[a-z]", "a/"]}, ["*", "[a-z]"], ["a", "z"]),
    ({"sessions": ["caf\xe9"]}, ["caf\xe9"], ["cafe\u0301"]),
    ({"prefixes": ["team-"]}, ["team-", "team-1"], ["team", "tea", "Team-1", "x-team-1", None]),
    ({"prefixes": ["a", "b"], "sessions": ["c"]}, ["a1", "b", "c"], ["c1", None]),
    ({"prefixes": [""]}, ["a", "\u65e5\u672c\u8a9e", None], []),
    ({"prefixes": [], "sessions": []}, [], ["", "a", None]),
    ({}, [], ["", "a", None]),
]


@pytest.mark.parametrize(("claims", "covered", "others"), COVERED, ids=[str(claims) for claims, _, _ in COVERED])
def test_a_grant_covers_what_it_names(
    claims: dict[str, list[str]], covered: list[str | None], others: list[str | None]
) -> None:
    """Ids compared by code point, and ids that begin with a prefix; no patterns of any kind."""
    grant = Grant.model_validate({**claims, "actions": ["read"]})
    assert [each for each in [*covered, *others] if grant.allows("read", each)] == covered


def test_a_grant_allows_the_actions_that_it_names() -> None:
    """Reading by default; unknown actions have no effect."""
    assert Grant.model_validate({"sessions": ["a"]}).actions == {"read"}
    grant = Grant.model_validate({"prefixes": [""], "actions": ["publish", "fly"]})
    assert grant.allows("publish", "a")
    assert not grant.allows("read", "a")
    assert not grant.allows("list", None)
    assert not Grant.model_validate({"prefixes": [""], "actions": []}).allows("read", "a")


def test_a_grant_expires_at_its_end() -> None:
    """At that very second; without an end it never expires."""
    grant = Grant.model_validate({"exp": 1000})
    assert not grant.has_expired(999.9)
    assert grant.has_expired(1000)
    assert not EVERYTHING.has_expired(1e12)


@pytest.mark.parametrize(
    "claims",
    [
        *({"sessions": "a"}, {"sessions": [1]}, {"sessions": ["\ud800"]}, {"sessions": ["a\0"]}),
        *({"sessions": {"a": 1}}, {"prefixes": None}, {"prefixes": ""}, {"prefixes": [None]}, {"actions": "read"}),
        *({"exp": "1000"}, {"exp": True}, {"exp": float("inf")}, {"exp": float("nan")}, {"exp": [1000]}),
    ],
    ids=str,
)
def test_claims_of_another_form_are_no_grant(claims: dict[str, object]) -> None:
    """A string is not a list of strings, though Python would iterate over it."""
    with pytest.raises(ValidationError):
        Grant.model_validate(claims)


def test_a_token_matches_one_of_several_as_a_whole() -> None:
    """Several are valid at once, so that one can replace another."""
    known = [b"old", b"new"]
    assert [each for each in (b"old", b"new", b"", b"ne", b"newer", b"NEW", b"old,new") if is_one_of(each, known)] == [
        b"old",
        b"new",
    ]
    assert not is_one_of(b"", [])


def test_every_known_token_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """SE-02: always with all, in a time that does not depend on where the first difference is."""
    compared: list[bytes] = []

    def compare(_offered: bytes, known: bytes) -> bool:
        compared.append(known)
        return known == b"one"

    monkeypatch.setattr("hmac.compare_digest", compare)
    assert is_one_of(b"one", [b"one", b"two"])
    assert compared == [b"one", b"two"]
