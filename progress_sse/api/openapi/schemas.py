"""The schemas of the description, made from the models of requests and responses."""

import sys
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from progress_sse.api.openapi import response_models
from progress_sse.api.openapi.operations import OPERATIONS
from progress_sse.api.openapi.references import Json, ref
from progress_sse.api.update_models import AddressedUpdate
from progress_sse.core.model import MAX_SESSION_ID_CHARS, UNFIT_CATEGORIES


class _Schemas(GenerateJsonSchema):
    """Makes schemas without pydantic's titles, and without `null` as the default of an optional field."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        described = super().default_schema(schema)
        return {key: value for key, value in described.items() if (key, value) != ("default", None)}


def make_schemas() -> Json:
    """Return the schemas of all bodies, by the names of their models."""
    answered = [spec.model for operation in OPERATIONS.values() for spec in operation.responses.values()]
    taken = [operation.body for operation in OPERATIONS.values()]
    models: dict[type[BaseModel], None] = dict.fromkeys(
        model for model in (response_models.Problem, AddressedUpdate, *answered, *taken) if model is not None
    )
    _, described = models_json_schema(
        [(model, "validation") for model in models],
        ref_template="#/components/schemas/{model}",
        schema_generator=_Schemas,
    )
    schemas: Json = described["$defs"]
    # A session id is not a model, so pydantic cannot refer to it.
    schemas["SessionId"] = _session_id()
    schemas["AddressedUpdate"]["properties"]["session_id"] = ref("schemas", "SessionId")
    schemas["CreateBody"]["properties"]["profile"]["anyOf"][0] = ref("schemas", "SessionId")
    return schemas


def with_limits(value: Any, limits: Mapping[str, int]) -> Any:
    """Return the description with the limits in place of the names of their settings."""
    if isinstance(value, dict):
        return {
            key: limits[each] if key in _LIMITS and isinstance(each, str) else with_limits(each, limits)
            for key, each in value.items()
        }
    return [with_limits(each, limits) for each in value] if isinstance(value, list) else value


_LIMITS: Final = frozenset({"maximum", "maxItems", "maxLength"})


def _session_id() -> Json:
    """Return the rules of `model.check_session_id`, but for surrogates, which cannot occur in UTF-8."""
    unfit = [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) in UNFIT_CATEGORIES - {"Cs"}]
    # Escapes are readable; beyond U+FFFF no escape works in all dialects of patterns.
    escaped = "".join(f"\\u{ord(char):04x}" if ord(char) < 0x10000 else char for char in unfit)
    return {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_SESSION_ID_CHARS,
        "pattern": f"^[^/{escaped}]*$",
        "not": {"enum": [".", ".."]},
    }
