"""What an operator may choose of the log; kept apart from the logging itself, which a worker need not load."""

from typing import Literal, TypeAlias

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]
LogFormat: TypeAlias = Literal["text", "json"]
