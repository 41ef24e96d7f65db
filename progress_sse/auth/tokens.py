"""Signed tokens: JSON Web Tokens [RFC 7519] that name the sessions that their bearer may read or change, and an end.

The algorithm is fixed by configuration and never taken from a token. PyJWT does the cryptography; as it takes a tenth
of a second to load, this module is imported only where a key is configured.
"""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

import jwt
from jwt.algorithms import HMACAlgorithm
from jwt.types import Options
from pydantic import ValidationError

from progress_sse._internal.files import read_file
from progress_sse._internal.optional_imports import from_extra
from progress_sse.auth.grants import Grant
from progress_sse.core.errors import ConfigurationError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

Algorithm: TypeAlias = Literal["HS256", "RS256"]

AUDIENCE: Final = "progress-sse"
"""The `aud` of our tokens, so that a token which the same key signed for another service is not valid here."""

MAX_TOKEN_CHARS: Final = 4000
"""Characters that a token may have: as many as fit into a cookie, and few enough to decode for unknown clients."""

MIN_SECRET_BYTES: Final = 32
"""Bytes of a secret for HS256 [RFC 7518 §3.2]."""

CLOCK_SKEW_S: Final = 5
"""Seconds by which the clock of a token's issuer may be ahead of ours."""

MAX_CACHED: Final = 1024
"""Tokens whose verified grants are cached, since a page that polls sends the same token each time."""


class Keys(NamedTuple):
    """The keys that sign tokens, which may be unknown, and verify them."""

    signing: "bytes | RSAPrivateKey | None"
    verifying: "bytes | RSAPublicKey"


class SignedTokens:
    """Verifies and makes tokens with one key."""

    def __init__(self, key: str, algorithm: Algorithm) -> None:
        """Take the setting `token_key`.

        Args:
            key: For HS256 the secret itself; for RS256 a key in PEM, or the path of a file that holds it.
            algorithm: The algorithm of every token.

        Raises:
            ConfigurationError: The key does not fit the algorithm; the text does not repeat it.
        """
        self._algorithm = algorithm
        self._keys = _secret(key) if algorithm == "HS256" else _rsa_keys(key)
        self._decode_cached = lru_cache(MAX_CACHED)(self._decode)

    def grant(self, token: str) -> Grant | None:
        """Return the grant of a token, even if it has expired; `None` if it is not valid for any other reason."""
        if len(token) > MAX_TOKEN_CHARS or "=" in token:  # Tokens have no padding [RFC 7515 §2]; it would make copies.
            return None
        try:
            return self._decode_cached(token)
        except (jwt.PyJWTError, ValidationError):
            return None

    def _decode(self, token: str) -> Grant:
        # The grant is cached, so its expiry is checked at each use instead.
        options: Options = {"require": ["exp", "aud"], "verify_exp": False}
        claims = jwt.decode(
            token,
            self._keys.verifying,
            algorithms=[self._algorithm],
            audience=AUDIENCE,
            leeway=CLOCK_SKEW_S,
            options=options,
        )
        return Grant.model_validate(claims)

    def make(self, grant: Grant, *, issued_at: float, subject: str | None = None) -> str:
        """Return a token.

        Args:
            grant: Its grant, which must have an end, as every token has.
            issued_at: The time now, in seconds since 1970.
            subject: The `sub` claim, which the server ignores.

        Raises:
            ConfigurationError: The key is a public one, or the token would be too long for the server.
        """
        if self._keys.signing is None:
            raise ConfigurationError("token_key is a public key; tokens are made with the private one.")
        named = {} if subject is None else {"sub": subject}
        claims = {**named, "aud": AUDIENCE, "iat": int(issued_at), **grant.model_dump(mode="json", by_alias=True)}
        token = jwt.encode(claims, self._keys.signing, algorithm=self._algorithm)
        if len(token) > MAX_TOKEN_CHARS:
            raise ConfigurationError("The token would be too long; name fewer sessions, or a prefix of their ids.")
        return token


def _secret(key: str) -> Keys:
    secret = key.encode()
    if len(secret) < MIN_SECRET_BYTES:
        raise ConfigurationError(
            f"token_key has fewer than {MIN_SECRET_BYTES} bytes; `progress-sse token secret` makes one that has."
        )
    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret)
    except jwt.InvalidKeyError as error:
        raise ConfigurationError(
            "token_key is no secret but a key in PEM, which is for token_algorithm=RS256."
        ) from error
    return Keys(secret, secret)


def _rsa_keys(key: str) -> Keys:
    with from_extra("rs256", "cryptography", need="token_algorithm=RS256 needs"):
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from jwt.algorithms import RSAAlgorithm
    algorithm = RSAAlgorithm(RSAAlgorithm.SHA256)
    try:
        loaded = algorithm.prepare_key(key if key.startswith("-----BEGIN ") else read_file(Path(key)))
    except (OSError, ValueError, TypeError, jwt.InvalidKeyError):
        raise ConfigurationError("token_key is neither an RSA key in PEM nor the path of a file with one.") from None
    if algorithm.check_key_length(loaded):
        raise ConfigurationError("token_key is an RSA key of fewer than 2048 bits.")
    if isinstance(loaded, RSAPrivateKey):
        return Keys(loaded, loaded.public_key())
    return Keys(None, loaded)
