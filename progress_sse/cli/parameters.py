"""The types of arguments that the client commands share."""

from typing import Any, Final

import click


class StepType(click.ParamType):  # type: ignore[type-arg]  # which older versions of click do not take
    """A step, by its number or its name; digits are always a number."""

    name = "step"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Return the number or the name."""
        if isinstance(value, int) or not value.removeprefix("-").isdecimal():
            step: int | str = value or self.fail("a step has a number or a name", param, ctx)
            return step
        number: int = click.IntRange(min=1).convert(value, param, ctx)
        return number


class PairType(click.ParamType):  # type: ignore[type-arg]  # see above
    """A pair with a sign of equality in between."""

    name = "pair"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return both parts."""
        if isinstance(value, tuple):
            return value
        left, sign, right = value.partition("=")
        if not left or not sign:
            self.fail(f"{value!r} is not of the form {param.metavar if param else 'A=B'}", param, ctx)
        return left, right


class LabelType(click.ParamType):  # type: ignore[type-arg]  # see above
    """A label of a session as queries have it: its key and its value, with a colon in between."""

    name = "label"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text."""
        text = str(value)
        if not text.partition(":")[0] or ":" not in text:
            self.fail(f"{text!r} is not of the form KEY:VALUE", param, ctx)
        return text


LABEL: Final = LabelType()
STEP: Final = StepType()
PAIR: Final = PairType()
