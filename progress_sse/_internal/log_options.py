"""The values of the settings `log_level` and `log_format`, below both the settings and the log."""

from typing import Literal, TypeAlias

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]
LogFormat: TypeAlias = Literal["text", "json"]
