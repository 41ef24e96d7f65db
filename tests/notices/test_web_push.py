"""Push messages, which another implementation decrypts, and the tokens for vendors."""

import os
import time
from typing import NamedTuple

import http_ece
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from progress_sse.notices.web_push import PADDED_BYTES, PushKey, base64url, check_key, encrypt, from_base64url

NOW_S = 1_767_323_045


class Browser(NamedTuple):
    """A browser's keys."""

    key: ec.EllipticCurvePrivateKey
    auth: bytes

    @classmethod
    def new(cls) -> "Browser":
        return cls(ec.generate_private_key(ec.SECP256R1()), os.urandom(16))

    @property
    def p256dh(self) -> str:
        return base64url(self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    def decrypt(self, message: bytes) -> bytes:
        decrypted: bytes = http_ece.decrypt(message, private_key=self.key, auth_secret=self.auth, version="aes128gcm")
        return decrypted


@pytest.mark.parametrize("plaintext", [b"", b"{}", "完了 🎉".encode() * 50])
def test_the_browser_reads_a_message(plaintext: bytes) -> None:
    browser = Browser.new()
    message = encrypt(plaintext, browser.p256dh, base64url(browser.auth))
    assert browser.decrypt(message) == plaintext
    assert len(message) == len(encrypt(b"other", browser.p256dh, base64url(browser.auth)))
    assert len(message) == 16 + 4 + 1 + 65 + PADDED_BYTES + 16
    assert message != encrypt(plaintext, browser.p256dh, base64url(browser.auth))


def test_no_other_browser_reads_it() -> None:
    browser, other = Browser.new(), Browser.new()
    with pytest.raises(http_ece.ECEException):
        other.decrypt(encrypt(b"{}", browser.p256dh, base64url(browser.auth)))


@pytest.mark.parametrize(
    "text",
    ["", "AAAA", base64url(b"\4" + b"\0" * 64), base64url(b"\2" + b"\1" * 64), "!" * 87],
)
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any
        check_key(text)
    with pytest.raises(ValueError):  # noqa: PT011 - any
        check_key(f"{Browser.new().p256dh}AA")


def test_the_vendor_knows_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a token for its origin and half a day, which is signed with the key that the browser subscribed to."""
    monkeypatch.setattr(time, "time", lambda: float(NOW_S))
    key = PushKey(PushKey.generate())
    header = key.authorization("https://push.example", "mailto:ops@example.org")
    assert header == key.authorization("https://push.example", "mailto:ops@example.org")
    scheme, token, public = header.replace(",", "").split(" ")
    point = from_base64url(public.removeprefix("k="), 65)
    verifier = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    claims = jwt.decode(
        token.removeprefix("t="),
        verifier,
        algorithms=["ES256"],
        audience="https://push.example",
        options={"verify_exp": False},
    )
    assert (scheme, claims["sub"]) == ("vapid", "mailto:ops@example.org")
    assert claims["exp"] - NOW_S == 12 * 3600
    assert key.authorization("https://other.example", "mailto:ops@example.org") != header
    monkeypatch.setattr(time, "time", lambda: NOW_S + 7 * 3600.0)
    assert key.authorization("https://push.example", "mailto:ops@example.org") != header
    assert check_key(key.public) == public.removeprefix("k=")


def test_a_token_of_a_clock_that_was_ahead_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vendors refuse one that ends more than a day from now [RFC 8292 §2], and each of its messages would be dead."""
    key, args = PushKey(PushKey.generate()), ("https://push.example", "mailto:ops@example.org")
    monkeypatch.setattr(time, "time", lambda: NOW_S + 48 * 3600.0)
    key.authorization(*args)
    monkeypatch.setattr(time, "time", lambda: float(NOW_S))
    _, token, _ = key.authorization(*args).replace(",", "").split(" ")
    claims = jwt.decode(token.removeprefix("t="), options={"verify_signature": False})
    assert claims["exp"] - NOW_S == 12 * 3600


def test_what_stands_for_a_session() -> None:
    """Depends on the key, and reveals no id."""
    key, other = PushKey(PushKey.generate()), PushKey(PushKey.generate())
    assert len(key.topic("a")) == 32
    assert len({key.topic("a"), key.topic("b"), other.topic("a")}) == 3
    assert len({key.id_of("a", "b"), key.id_of("ab"), key.id_of("b", "a")}) == 3


def test_other_keys_are_refused() -> None:
    pem = ec.generate_private_key(ec.SECP384R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for each in (pem, b"", b"-----BEGIN PRIVATE KEY-----\n"):
        with pytest.raises(ValueError):  # noqa: PT011 - any
            PushKey(each)
