"""Messages to browsers by their vendors: encrypted to the browser [RFC 8291], signed for the vendor [RFC 8292]."""

import hmac
import json
import math
import os
import time
from base64 import b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

PADDED_BYTES: Final = 1024
"""Bytes that each message has before it is encrypted, so that its length reveals nothing."""

RECORD_BYTES: Final = 4096
KEY_BYTES: Final = 65
AUTH_BYTES: Final = 16
TOKEN_LIFETIME_S: Final = 12 * 3600


def base64url(data: bytes) -> str:
    """Return bytes as text, without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str, length: int) -> bytes:
    """Return the bytes that a text stands for.

    Raises:
        ValueError: It is not base64url, or does not have that many bytes.
    """
    data = b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), b"-_", validate=True)
    if len(data) != length:
        raise ValueError(f"must be {length} bytes as base64url")
    return data


def check_key(text: str) -> str:
    """Return the text if it is a browser's public key.

    Raises:
        ValueError: It is no point of P-256.
    """
    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), from_base64url(text, KEY_BYTES))
    return text


def encrypt(plaintext: bytes, p256dh: str, auth: str) -> bytes:
    """Return a padded message as one record of `aes128gcm` [RFC 8188], which only the browser can read."""
    browser_key = from_base64url(p256dh, KEY_BYTES)
    secret = from_base64url(auth, AUTH_BYTES)
    own = ec.generate_private_key(ec.SECP256R1())
    salt = os.urandom(16)
    browser = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), browser_key)
    own_key = _point(own)

    def derive(material: bytes, salt: bytes, info: bytes, length: int) -> bytes:
        return HKDF(SHA256(), length, salt, info).derive(material)

    shared = own.exchange(ec.ECDH(), browser)
    material = derive(shared, secret, b"WebPush: info\0" + browser_key + own_key, 32)
    key = derive(material, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = derive(material, salt, b"Content-Encoding: nonce\0", 12)
    padded = (plaintext + b"\2").ljust(PADDED_BYTES, b"\0")
    head = salt + RECORD_BYTES.to_bytes(4) + bytes([len(own_key)]) + own_key
    return head + AESGCM(key).encrypt(nonce, padded, None)


def _point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


class PushKey:
    """The key pair of a server, or of all servers of a store: browsers subscribe to it, and vendors know it by it."""

    def __init__(self, pem: bytes) -> None:
        """Read a private key.

        Raises:
            ValueError: It is none of P-256.
        """
        key = load_pem_private_key(pem, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ValueError("is no private key of P-256")
        self._pem = pem
        self._secret = sha256(key.private_numbers().private_value.to_bytes(32)).digest()
        self._tokens: dict[str, tuple[float, str]] = {}
        self.public = base64url(_point(key))

    @staticmethod
    def generate() -> bytes:
        """Return a new private key in PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def id_of(self, *texts: str) -> str:
        """Return 32 characters that stand for texts, and reveal none of them."""
        return base64url(hmac.digest(self._secret, json.dumps(texts).encode(), "sha256")[:24])

    def topic(self, session_id: str) -> str:
        """Return what the messages of a session have in common for the vendor: the newest one takes their place."""
        return self.id_of("topic", session_id)

    def authorization(self, origin: str, contact: str) -> str:
        """Return the header that names this server to a vendor; a token is used for half of its lifetime.

        One that was made by a clock that was ahead is used no more: vendors refuse an end beyond a day.
        """
        now = time.time()
        made_at, token = self._tokens.get(origin, (-math.inf, ""))
        if not 0 <= now - made_at <= TOKEN_LIFETIME_S / 2:
            claims = {"aud": origin, "exp": int(now) + TOKEN_LIFETIME_S, "sub": contact}
            token = jwt.encode(claims, self._pem, algorithm="ES256")
            self._tokens[origin] = now, token
        return f"vapid t={token}, k={self.public}"
