"""Errors that end jobs in these tests."""


class OopsError(Exception):
    """The error of a job in these tests."""


class TimeIsUpError(Exception):
    """A time limit, as a signal handler of a queue's worker raises it at any point."""


class MuteError(Exception):
    """An exception whose text raises another one."""

    def __str__(self) -> str:
        raise OopsError
