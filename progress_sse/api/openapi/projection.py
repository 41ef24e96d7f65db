"""The description for tools that read OpenAPI 3.1, above all for generators of clients.

It has the same operations, and of each schema what makes a type. What only bounds values is left out, since the server
checks it anyway. Generators refuse such schemas, drop the operations that use them, or write checks that fail on what a
later server adds.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

from progress_sse.api.openapi.components import Json

_KEPT: Final = ("title", "type", "format", "description", "enum", "required")
"""Keywords that are kept as they are; `default` is none of them: generated clients would send it with each request."""

_WIDTHS: Final = {"integer": "int64", "number": "double"}
"""The formats of numbers, which generators otherwise take to have 32 bits."""

_NULL: Final[Json] = {"type": "null"}


def projected(document: Json) -> Json:
    """Return a description of the same API as OpenAPI 3.1, with types that generators know."""
    return {**_Projection(document["components"]).of(document), "openapi": "3.1.0"}


class _Projection:
    """Projects the parts of a document that has these components."""

    def __init__(self, components: Json) -> None:
        self._components = components

    def of(self, node: Any) -> Any:
        """Return any part but a schema; without examples, which show what is left out."""
        if isinstance(node, list):
            return [self.of(each) for each in node]
        if not isinstance(node, dict):
            return node
        kept = {key: each for key, each in node.items() if key not in {"example", "examples"}}
        return {key.replace("itemSchema", "schema"): self._part(key, each) for key, each in kept.items()}

    def _part(self, key: str, part: Any) -> Any:
        match key:
            case "schema":
                return self._schema(part)
            case "schemas":
                return {name: self._schema(each) for name, each in part.items()}
            case "itemSchema":
                return {"type": "string", "description": f"Events, each with the fields of {_names(part)}."}
            case "links":
                return {name: {key: link[key] for key in link if key != "requestBody"} for name, link in part.items()}
            case "parameters" if isinstance(part, list):
                return self._parameters(part)
        return self.of(part)

    def _parameters(self, parameters: Sequence[Json]) -> Sequence[Json]:
        """Return them without those in queries that repeat a header: they are for clients that cannot send it."""
        names = [self._referred(each)["name"].replace("-", "_").lower() for each in parameters]
        return [each for n, each in enumerate(parameters) if names[n] not in names[:n]]

    def _referred(self, schema: Json) -> Json:
        if "$ref" not in schema:
            return schema
        _, _, kind, name = schema["$ref"].split("/")
        referred: Json = self._components[kind][name]
        return referred

    def _schema(self, schema: Json) -> Json:
        if "$ref" in schema:
            return {"$ref": schema["$ref"]}
        described: Json = {key: schema[key] for key in _KEPT if key in schema}
        if "properties" in schema:
            described["properties"] = self._properties([schema])
        elif choices := schema.get("anyOf", schema.get("oneOf")):  # Beside properties, it says which go together.
            described = self._union(choices) | described
        if schema.get("type") == "array":
            described["items"] = self._schema(schema.get("items", {}))
        if isinstance(schema.get("additionalProperties"), dict):
            described["additionalProperties"] = self._schema(schema["additionalProperties"])
        if "contentSchema" in schema:
            described["description"] = f"{_names(schema['contentSchema'])} as JSON"
        if isinstance(schema.get("const"), str):
            described["enum"] = [schema["const"]]
        if "enum" in described:
            described["type"] = "string"
        width = _WIDTHS.get(described.get("type", ""))
        return described | {"format": width} if width else described

    def _properties(self, objects: Sequence[Json]) -> Json:
        """Return the keys that any of the objects has."""
        return {key: self._property(key, objects) for each in objects for key in each["properties"]}

    def _property(self, key: str, objects: Sequence[Json]) -> Json:
        """Return what holds of a key in all; where none requires it, `null` only if its description names that."""
        kinds = [self._schema(each["properties"][key]) for each in objects if key in each["properties"]]
        described = {name: value for name, value in kinds[0].items() if all(each.get(name) == value for each in kinds)}
        if all("enum" in each for each in kinds):
            described["enum"] = list(dict.fromkeys(chain.from_iterable(each["enum"] for each in kinds)))
        if all("items" in each for each in kinds):
            described["items"] = self._union([each["items"] for each in kinds])
        if described.get("type") == "null":  # Few languages have a type for it alone.
            described = {"anyOf": [{"type": "string"}, _NULL]} | {k: v for k, v in described.items() if k != "type"}
        if texts := dict.fromkeys(each["description"] for each in kinds if "description" in each):
            described["description"] = ", or ".join(texts)
        is_required = any(key in each.get("required", ()) for each in objects)
        if is_required or "`null`" in described.get("description", "") or _NULL not in described.get("anyOf", ()):
            return described
        only = self._union([each for each in described.pop("anyOf") if each != _NULL])
        return only if "$ref" in only else described | only

    def _union(self, choices: Sequence[Json]) -> Json:
        """Return one object for several, and the object alone beside a shorter form of it; else the choices."""
        choices = [each for n, each in enumerate(choices) if each and each not in choices[:n]]
        if len(choices) == 1:
            return self._schema(choices[0])
        found = [self._referred(each) for each in choices]
        objects = [n for n, each in enumerate(found) if "properties" in each]
        if len(objects) > 1:
            joined = [found[n] for n in objects]
            properties = self._properties(joined)
            title = "Or".join(each["title"] for each in joined)
            required = [key for key in properties if all(key in each.get("required", ()) for each in joined)]
            return {"title": title, "type": "object", "properties": properties, "required": required}
        if objects and _NULL not in choices:
            return self._schema(choices[objects[0]])
        if {self._schema(each).get("type") for each in found} == {"string"}:
            return {"type": "string"}
        return {"anyOf": [self._schema(each) for each in choices]}


def _names(schema: Json) -> str:
    refs = [each["$ref"] for each in schema.get("anyOf", [schema])]
    return " or ".join(f"`{each.rpartition('/')[2]}`" for each in refs)
