"""The rules for text that users send (names, messages, errors), and the description of a fault in a request."""

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo

from progress_sse.core.model import is_text


def check_text(text: str) -> str:
    """Return the text if it has no NUL and no surrogate; for pydantic, which makes a fault of the `ValueError`."""
    if not is_text(text):
        raise ValueError("has a NUL or surrogate character")
    return text


def _check_length(text: str, info: ValidationInfo) -> str:
    limit: int = info.context["max_text_chars"] if info.context else len(text)
    if len(text) > limit:
        raise ValueError(f"has more than {limit} characters")
    return check_text(text)


Text = Annotated[
    str,
    Field(strict=True, json_schema_extra={"maxLength": "max_text_chars", "pattern": "^[^\\u0000]*$"}),
    AfterValidator(_check_length),
]
"""A string without NUL and lone surrogates, of at most the `max_text_chars` in the validation context.

Its schema holds the name of the setting in place of the limit; ``openapi.document`` replaces it by the value.
"""

PlainText = Annotated[
    str, Field(strict=True, json_schema_extra={"pattern": "^[^\\u0000]*$"}), AfterValidator(check_text)
]
"""A string without NUL and lone surrogates, whose field says how long it may be."""


def first_fault(error: ValidationError) -> str:
    """Return the first fault as ``field: sentence``, without the value that was sent."""
    fault = error.errors(include_input=False, include_url=False, include_context=False)[0]
    field = ".".join(str(part) for part in fault["loc"])
    return f"{field or 'body'}: {fault['msg'].removeprefix('Value error, ')}."
