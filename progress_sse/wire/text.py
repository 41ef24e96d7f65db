"""What counts as text in what users send: names, messages, errors; and how a fault in it is described."""

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo

from progress_sse.core.model import is_text


def _check(text: str, info: ValidationInfo) -> str:
    limit: int = info.context["max_text_chars"] if info.context else len(text)
    if len(text) > limit:
        raise ValueError(f"has more than {limit} characters")
    if not is_text(text):
        raise ValueError("has a NUL or surrogate character")
    return text


Text = Annotated[
    str,
    Field(strict=True, json_schema_extra={"maxLength": "max_text_chars", "pattern": "^[^\\u0000]*$"}),
    AfterValidator(_check),
]
"""A string without NUL and lone surrogates, of at most the `max_text_chars` that the validation context brings.

In its schema a limit bears the name of its setting, for which ``openapi.document`` puts in the value.
"""


def first_fault(error: ValidationError) -> str:
    """Return the first of the faults that were found as ``field: sentence``, without what was found there."""
    fault = error.errors(include_input=False, include_url=False, include_context=False)[0]
    field = ".".join(str(part) for part in fault["loc"])
    return f"{field or 'body'}: {fault['msg'].removeprefix('Value error, ')}."
