"""Signatures of the Python client as its page shows them: without `self`, and with the types of constructors alone."""

import inspect
import re
from collections.abc import Callable
from typing import Final

_LINE_CHARS: Final = 100


def signature(function: Callable[..., object]) -> str:
    """Return the signature of a function, without types."""
    full = inspect.signature(function)
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in _parameters(full)]
    return _bare(str(full.replace(parameters=plain, return_annotation=inspect.Signature.empty)))


def constructor_call(owner: type, constructor: Callable[..., object]) -> str:
    """Return the call that makes an object; a long one has a line for each parameter."""
    parameters = _parameters(inspect.signature(constructor))
    short = f"{owner.__name__}({', '.join(_bare(str(each)) for each in parameters)})"
    if len(short) <= _LINE_CHARS:
        return short
    lines = [_bare(str(each)) for each in parameters]
    named = [index for index, each in enumerate(parameters) if each.kind is each.KEYWORD_ONLY]
    if named:
        lines[named[0] : named[0]] = ["*"]
    return "\n".join([f"{owner.__name__}(", *(f"    {line}," for line in lines), ")"])


def _parameters(full: inspect.Signature) -> list[inspect.Parameter]:
    return [each for each in full.parameters.values() if each.name not in {"self", "cls"}]


def _bare(text: str) -> str:
    """Return a signature's text without the modules and quotes of its types."""
    text = re.sub(r"\*<class '[\w.]*?(\w+)'>", r"Unpack[\1]", text).replace("~", "")
    text = re.sub(r"'(\w+)'", r"\1", text)
    text = re.sub(r"<\w+\.(\w+): [^>]*>", r"\1", text)
    return re.sub(r"\b(?:[a-z_]\w*\.)+(?=[A-Za-z])", "", text)
