"""Signed tokens: which are valid, and with which keys."""

import base64
import hashlib
import hmac
import json
import math
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import example, given
from hypothesis import strategies as st

from progress_sse.auth.grants import Grant
from progress_sse.auth.tokens import MAX_TOKEN_CHARS, SignedTokens
from progress_sse.core.errors import ConfigurationError
from tests.harness.tokens import DAY_S, KEY, make_token

NOW = int(time.time())
SIGNED = SignedTokens(KEY, "HS256")
GRANT = Grant(sessions=frozenset({"a", "\u65e5\u672c\u8a9e"}), prefixes=("team-",), expires_at=NOW + DAY_S)


def private_pem(key: Any) -> str:
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


def public_pem(key: Any) -> str:
    return str(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    """A key that is long enough; shared, since making one takes a moment."""
    return rsa.generate_private_key(65537, 2048)


def test_a_token_of_ours_is_valid() -> None:
    """For us, and for any program with PyJWT and the key."""
    token = SignedTokens(KEY, "HS256").make(GRANT, issued_at=NOW, subject="alice")
    assert SignedTokens(KEY, "HS256").grant(token) == GRANT
    claims = jwt.decode(token, KEY, algorithms=["HS256"], audience="progress-sse")
    assert sorted(claims.pop("sessions")) == ["a", "\u65e5\u672c\u8a9e"]
    assert claims == {
        "sub": "alice",
        "aud": "progress-sse",
        "iat": NOW,
        "exp": NOW + DAY_S,
        "prefixes": ["team-"],
        "actions": ["read"],
    }


def test_a_token_of_another_issuer_is_valid() -> None:
    """Missing claims have defaults; ours may be one of several audiences; clocks may differ a little."""
    tokens = SignedTokens(KEY, "HS256")
    for token in (
        make_token(sessions=["a"], exp=NOW + DAY_S),
        make_token(sessions=["a"], exp=NOW + DAY_S, aud=["other", "progress-sse"], sub="x", jti="y", extra={"z": 1}),
        make_token(sessions=["a"], exp=NOW + DAY_S, iat=NOW + 2, nbf=NOW + 2),
    ):
        assert tokens.grant(token) == Grant(sessions=frozenset({"a"}), expires_at=NOW + DAY_S)


def test_keys_of_both_kinds_sign_and_verify_with_rs256(rsa_key: rsa.RSAPrivateKey, tmp_path: Path) -> None:
    """The private key does both, the public key verifies; as text or as a file."""
    private, public = private_pem(rsa_key), public_pem(rsa_key)
    path = tmp_path / "key.pem"
    path.write_text(public)
    token = SignedTokens(private, "RS256").make(GRANT, issued_at=NOW)
    for key in (private, public, str(path)):
        assert SignedTokens(key, "RS256").grant(token) == GRANT
    with pytest.raises(ConfigurationError, match="public key"):
        SignedTokens(public, "RS256").make(GRANT, issued_at=NOW)


def by_hand(alg: str, key: bytes) -> str:
    """A token signed by HMAC with any header and key: PyJWT would refuse to make it."""
    parts = [{"alg": alg}, {"aud": "progress-sse", "exp": NOW + DAY_S, "prefixes": [""]}]
    text = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    signature = hmac.digest(key, text.encode(), hashlib.sha256)
    return text + "." + base64.urlsafe_b64encode(signature).decode().rstrip("=")


def test_the_algorithm_is_never_taken_from_the_token(rsa_key: rsa.RSAPrivateKey) -> None:
    """SE-02: a public key must not verify an HMAC, with any algorithm in the header."""
    assert SignedTokens(KEY, "HS256").grant(by_hand("HS256", KEY.encode())) is not None
    public = public_pem(rsa_key)
    reader = SignedTokens(public, "RS256")
    for alg in ("HS256", "RS256", "none", "hs256"):
        for key in (public, public.strip(), private_pem(rsa_key)):
            assert reader.grant(by_hand(alg, key.encode())) is None
    signed = jwt.encode({"aud": "progress-sse", "exp": NOW + DAY_S, "prefixes": [""]}, rsa_key, "RS256")
    assert reader.grant(signed) is not None
    assert SignedTokens(KEY, "HS256").grant(signed) is None


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
GOOD = make_token(prefixes=[""])


@given(st.text(max_size=200) | st.text(ALPHABET, max_size=200))
def test_a_text_that_is_not_a_token_grants_nothing(text: str) -> None:
    """SE-02: and raises no error."""
    assert SIGNED.grant(text) is None


@given(st.integers(0, len(GOOD) - 1), st.sampled_from(ALPHABET))
def test_a_token_with_any_changed_character_is_not_valid(position: int, character: str) -> None:
    """SE-02: even where the last bits of the character are not used."""
    changed = GOOD[:position] + character + GOOD[position + 1 :]
    assert (SIGNED.grant(changed) is not None) == (changed == GOOD)


@pytest.mark.parametrize("more", ["=", "==", "====", ".", "\n", "\0", "%"])
def test_a_token_has_one_spelling_only(rsa_key: rsa.RSAPrivateKey, more: str) -> None:
    """Otherwise one bearer could pass for several callers, each with rates of its own."""
    for tokens in (SIGNED, SignedTokens(private_pem(rsa_key), "RS256")):
        token = tokens.make(GRANT, issued_at=NOW)
        assert tokens.grant(token) is not None
        assert tokens.grant(token + more) is None


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("progress-sse"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
claims = st.fixed_dictionaries(
    {"aud": st.just("progress-sse") | anything, "exp": st.just(NOW + DAY_S) | anything},
    optional=dict.fromkeys(("nbf", "iat", "sub", "iss", "jti", "sessions", "prefixes", "actions"), anything),
)
headers = st.fixed_dictionaries(
    {"alg": st.just("HS256") | anything}, optional=dict.fromkeys(("typ", "kid", "crit", "b64", "cty"), anything)
)


def signed(header: bytes, payload: bytes) -> str:
    """A token with a valid signature over any header and payload."""
    text = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (header, payload))
    return f"{text}.{base64.urlsafe_b64encode(hmac.digest(KEY.encode(), text.encode(), 'sha256')).decode().rstrip('=')}"


@given(headers, claims)
@example({"alg": "HS256"}, {"aud": "progress-sse", "exp": 10**400})
@example({"alg": "HS256"}, {"aud": "progress-sse", "exp": NOW + DAY_S, "nbf": math.inf})
def test_any_signed_payload_is_a_grant_or_none(header: dict[str, Any], payload: dict[str, Any]) -> None:
    """SE-02: for claims of any type; where it is a grant, the audience is ours."""
    grant = SIGNED.grant(signed(json.dumps(header).encode(), json.dumps(payload).encode()))
    if grant is not None:
        assert header["alg"] == "HS256"
        assert payload["exp"] == grant.expires_at
        assert grant.sessions == frozenset(payload.get("sessions", ()))


@given(st.binary(max_size=40), st.binary(max_size=40))
@example(b'{"alg":"HS256"}', b"[" * 2800)
@example(b"[" * 2800, b"{}")
@example(b'{"alg":"HS256"}', b"9" * 2800)
def test_signed_bytes_that_are_no_claims_are_none(header: bytes, payload: bytes) -> None:
    """SE-02: also those nested too deeply or far too long."""
    assert SIGNED.grant(signed(header, payload)) is None
    assert SIGNED.grant(signed(b'{"alg":"HS256"}', payload)) is None


def test_a_token_is_no_longer_than_a_cookie() -> None:
    """Longer tokens are neither verified nor made."""
    tokens = SignedTokens(KEY, "HS256")
    fits, step = Grant(prefixes=("x" * 2600,), expires_at=NOW), Grant(prefixes=("x" * 3000,), expires_at=NOW)
    assert len(tokens.make(fits, issued_at=NOW)) < MAX_TOKEN_CHARS
    with pytest.raises(ConfigurationError, match="fewer sessions"):
        tokens.make(step, issued_at=NOW)
    huge = make_token(prefixes=["x" * 3000])
    assert len(huge) > MAX_TOKEN_CHARS
    assert tokens.grant(huge) is None


@pytest.mark.parametrize("size", [0, 1, 31])
def test_a_short_secret_is_refused(size: int) -> None:
    """It could be guessed. The error does not show it."""
    with pytest.raises(ConfigurationError, match="32 bytes") as caught:
        SignedTokens("\u00e9"[:size] + "s" * (size - 2), "HS256")
    assert "sss" not in str(caught.value)
    SignedTokens("s" * 32, "HS256")


def test_a_key_that_does_not_fit_its_algorithm_is_refused(rsa_key: rsa.RSAPrivateKey, tmp_path: Path) -> None:
    """In one sentence, which never shows the key."""
    garbage = tmp_path / "garbage.pem"
    garbage.write_bytes(b"\xff\x00")
    small = rsa.generate_private_key(65537, 1024)  # noqa: S505  # to be refused
    elliptic = ec.generate_private_key(ec.SECP256R1())
    for key, algorithm, sentence in [
        (public_pem(rsa_key), "HS256", "RS256"),
        (private_pem(rsa_key), "HS256", "RS256"),
        (KEY, "RS256", "neither an RSA key"),
        ("x" * 5000, "RS256", "neither an RSA key"),
        ("a\0b", "RS256", "neither an RSA key"),
        (str(tmp_path), "RS256", "neither an RSA key"),
        (str(garbage), "RS256", "neither an RSA key"),
        (private_pem(rsa_key)[:200], "RS256", "neither an RSA key"),
        (public_pem(elliptic), "RS256", "neither an RSA key"),
        (private_pem(elliptic), "RS256", "neither an RSA key"),
        (private_pem(small), "RS256", "2048"),
    ]:
        with pytest.raises(ConfigurationError, match=sentence) as caught:
            SignedTokens(key, algorithm)  # type: ignore[arg-type]  # it is one of the two
        assert key[-60:] not in str(caught.value)
