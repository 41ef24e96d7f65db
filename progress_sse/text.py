"""What counts as text in what users send: names, messages, errors."""

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from progress_sse.model import is_text


def _check(text: str, info: ValidationInfo) -> str:
    limit: int = info.context["max_text_chars"] if info.context else len(text)
    if len(text) > limit:
        raise ValueError(f"has more than {limit} characters")
    if not is_text(text):
        raise ValueError("has a NUL or surrogate character")
    return text


Text = Annotated[str, Field(strict=True), AfterValidator(_check)]
"""A string without NUL and lone surrogates, of at most the `max_text_chars` that the validation context brings."""
