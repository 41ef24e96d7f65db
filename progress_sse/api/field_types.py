"""The types of the fields in request bodies: their rules, and how the description states them."""

from collections.abc import Callable
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    TypeAdapter,
    ValidationInfo,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from progress_sse.core import details
from progress_sse.core.asks import AskKind
from progress_sse.core.bounds import AGO, ATTEMPT_ID, LABEL_VALUE, LINK_LABEL, TITLE, Whole, Words
from progress_sse.core.details import Link
from progress_sse.core.errors import TooManyStepsError
from progress_sse.core.log_lines import MAX_LINES, LogLevel, NewLine
from progress_sse.core.model import is_session_id
from progress_sse.wire.step_specs import StepSpec
from progress_sse.wire.text import IS_TEXT, PLAIN, Text, check_text

DEFAULT_PAGE_SIZE: Final = 100
MAX_PAGE_SIZE: Final = 1000
"""Sessions on a page of the list: by default, and at most."""


def without_null(schema: dict[str, Any]) -> None:
    """Exclude `null` from the schema of an optional field, in which `None` only stands for a missing field."""
    described, _null = schema.pop("anyOf")
    schema |= described


def _check_total(total: int, info: ValidationInfo) -> int:
    assert info.context is not None
    limit: int = info.context["max_total_steps"]
    if total > limit:
        raise ValueError(f"is more than {limit}")
    return total


def _check_length(steps: Any, info: ValidationInfo) -> Any:
    """Check the length before the elements, so that a list that is too long is refused at once."""
    if isinstance(steps, list):
        _check_total(len(steps), info)
    return steps


def _check_planned(steps: Any, info: ValidationInfo) -> Any:
    assert info.context is not None
    if isinstance(steps, list) and len(steps) > info.context["max_total_steps"]:
        raise TooManyStepsError
    return steps


def _check_label(key: str) -> str:
    if ":" in key:
        raise ValueError("has a colon")
    return check_text(key)


def _unless(is_fit: Callable[[Any], bool], fault: str) -> AfterValidator:
    """Return what refuses a value with this fault, unless it is fit."""

    def check(value: Any) -> Any:
        if not is_fit(value):
            raise ValueError(fault)
        return value

    return AfterValidator(check)


class Within:
    """Bounds an integer or a text of a request as the domain does."""

    def __init__(self, bound: Whole | Words) -> None:
        """Bound it by `bound`."""
        self._bound = bound

    def __get_pydantic_core_schema__(self, _source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        bound = self._bound
        if isinstance(bound, Whole):
            return handler.generate_schema(Annotated[int, Field(strict=True, ge=bound.least, le=bound.most)])
        if bound.most is None:
            return handler.generate_schema(Text)
        chars = Field(strict=True, min_length=bound.least or None, max_length=bound.most, json_schema_extra=PLAIN)
        return handler.generate_schema(Annotated[str, chars, IS_TEXT])


class _OrText:
    """Describes that a text may stand for the object; Pydantic 2.11 fails on a model as `json_schema_input_type`."""

    def __init__(self, **bounds: int) -> None:
        self._bounds = bounds

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [handler(TypeAdapter(Text).core_schema) | self._bounds, handler(schema)]}


def _taking_text(key: str) -> Callable[[object], object]:
    """Return what makes an object of a text, which stands for this key of it."""

    def convert(value: object) -> object:
        if isinstance(value, str):
            return {key: value}
        if not isinstance(value, dict | BaseModel):
            raise ValueError("is neither a text nor an object")
        return value

    return convert


StepNumber = Annotated[int, Field(strict=True, ge=1)]
TotalSteps = Annotated[
    int, Field(strict=True, ge=1, json_schema_extra={"maximum": "max_total_steps"}), AfterValidator(_check_total)
]
StepOrName = Annotated[StepSpec, BeforeValidator(_taking_text("name")), _OrText(minLength=1)]
"""A step definition, or its name alone."""

_SomeSteps = Annotated[list[StepOrName], Field(min_length=1, json_schema_extra={"maxItems": "max_total_steps"})]
Steps = Annotated[_SomeSteps, BeforeValidator(_check_length)]
PlannedSteps = Annotated[_SomeSteps, BeforeValidator(_check_planned)]
"""Steps to append: too many of them have the same problem as too many for the session."""
AttemptId = Annotated[str, Within(ATTEMPT_ID)]
Profile = Annotated[str, Field(strict=True), _unless(is_session_id, "has not the form of a session id")]
Title = Annotated[str, Within(TITLE)]
LabelKey = Annotated[
    str,
    Field(
        strict=True,
        min_length=1,
        max_length=details.MAX_LABEL_CHARS,
        # As part of `allOf`: pydantic takes a `pattern` for one that other keys need not have.
        json_schema_extra={"allOf": [{"pattern": "^[^\\u0000:]*$"}]},
    ),
    AfterValidator(_check_label),
]
LabelValue = Annotated[str, Within(LABEL_VALUE)]
Accepts = Annotated[
    list[AskKind],
    Field(json_schema_extra={"uniqueItems": True}),
    _unless(lambda kinds: len(set(kinds)) == len(kinds), "has a value twice"),
]


class LinkSpec(BaseModel):
    """A link for the readers: http, https, or a path of this host."""

    model_config = ConfigDict(extra="ignore")

    label: Annotated[str, Within(LINK_LABEL)]
    url: Annotated[
        str,
        Field(strict=True, max_length=details.MAX_URL_CHARS, json_schema_extra={"pattern": details.URL_PATTERN}),
        IS_TEXT,
        _unless(details.is_fit_url, "is no http or https URL without user information, and no path of this host"),
    ]


Links = Annotated[list[LinkSpec], Field(max_length=details.MAX_LINKS)]


def to_links(specs: list[LinkSpec]) -> tuple[Link, ...]:
    """Return the links that `specs` describe."""
    return tuple(Link(spec.label, spec.url) for spec in specs)


class LineSpec(BaseModel):
    """A line of the log."""

    model_config = ConfigDict(extra="ignore")

    text: Text
    level: LogLevel = "info"
    ago_ms: Annotated[int, Within(AGO)] | None = Field(
        None,
        description="How long before this request it was written; otherwise as its update says.",
        exclude=True,  # When it was sent is no part of the text; see `KeyedBody.never`.
    )


LineOrText = Annotated[LineSpec, BeforeValidator(_taking_text("text")), _OrText()]
"""A line, or its text alone."""

Lines = Annotated[list[LineOrText], Field(min_length=1, max_length=MAX_LINES)]


def to_lines(specs: list[LineSpec]) -> tuple[NewLine, ...]:
    """Return the lines that `specs` describe."""
    return tuple([NewLine(spec.text, spec.level, spec.ago_ms) for spec in specs])
