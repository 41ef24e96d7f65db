"""The rules for text that users send (names, messages, errors), and the description of a fault in a request."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo

from progress_sse.core.model import is_text


def check_text(text: str) -> str:
    """Return the text if it has no NUL and no surrogate; for pydantic, which makes a fault of the `ValueError`."""
    if not is_text(text):
        raise ValueError("has a NUL or surrogate character")
    return text


IS_TEXT: Final = AfterValidator(check_text)
"""Refuses NUL and lone surrogates; behind the bounds of a length, whose errors count characters."""

PLAIN: Final[dict[str, Any]] = {"pattern": "^[^\\u0000]*$"}
"""The schema of this rule, but for surrogates, which cannot occur in UTF-8."""


def _check_length(text: str, info: ValidationInfo) -> str:
    limit: int = info.context["max_text_chars"] if info.context else len(text)
    if len(text) > limit:
        raise ValueError(f"has more than {limit} characters")
    return check_text(text)


Text = Annotated[
    str, Field(strict=True, json_schema_extra={"maxLength": "max_text_chars", **PLAIN}), AfterValidator(_check_length)
]
"""A string without NUL and lone surrogates, of at most the `max_text_chars` in the validation context.

Its schema holds the name of the setting, which ``openapi.document`` replaces by the value.
"""

_OPEN_FIELDS: Final = frozenset({"labels"})
"""Fields whose keys are texts of the client."""

_MAX_NAMED_CHARS: Final = 64


_SENTENCES: Final[Mapping[str, str]] = {
    "extra_forbidden": "is not known",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "missing": "is missing",
    "path_not_directory": "must be a folder that exists",
    "string_pattern_mismatch": "must have the form {pattern}",
    "string_too_long": "must have at most {max_length} characters",
    "too_long": "must have at most {max_length} entries",
    "value_error": "{error}",
    **dict.fromkeys(("string_too_short", "too_short"), "must not be empty"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "must be an object"),
    **dict.fromkeys(("float_parsing", "finite_number"), "must be a number"),
    **dict.fromkeys(("int_type", "int_parsing", "int_parsing_size", "int_from_float"), "must be an integer"),
    **dict.fromkeys(("list_type", "tuple_type"), "must be a list"),
    **dict.fromkeys(("string_type", "string_unicode"), "must be text"),
}
"""Our sentence for each kind of fault that pydantic finds, with places for its context."""


def first_fault(error: ValidationError) -> str:
    """Return the first fault as ``field: sentence``, without what was sent, save for the name of an unknown key."""
    fault = error.errors(include_input=False, include_url=False)[0]
    bounds = {name: int(each) if isinstance(each, float) else each for name, each in fault.get("ctx", {}).items()}
    field = ".".join(_field_of(fault["loc"]))
    return f"{field or 'body'}: {_SENTENCES.get(fault['type'], 'is not valid').format(**bounds)}."


def _field_of(location: Sequence[int | str]) -> Iterator[str]:
    for part in location:
        yield str(part)[:_MAX_NAMED_CHARS]  # An unknown key may be of any length.
        if part in _OPEN_FIELDS:
            return
