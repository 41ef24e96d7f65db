"""The page of problems."""

from collections.abc import Iterator

from docs.generators.docstrings import summary
from docs.generators.markdown import code, page, table
from progress_sse.core.errors import ProblemError


def problems_page() -> str:
    """Return the page."""
    kinds = sorted({(each.status, each.problem): each for each in _subclasses(ProblemError)}.items())
    return page(
        "Problems",
        "A refused or failed request gets `application/problem+json` ([the protocol](../protocol.md#16-problems)).\n"
        "Decide by `type`; `detail` is for people.",
        table(
            "status | `type` | when",
            ([str(status), code(f"/problems/{name}"), _when(kind)] for (status, name), kind in kinds),
        ),
    )


def _subclasses(base: type[ProblemError]) -> Iterator[type[ProblemError]]:
    for each in base.__subclasses__():
        yield each
        yield from _subclasses(each)


def _when(kind: type[ProblemError]) -> str:
    text = summary(kind.__doc__).removeprefix("Raised ").removeprefix("when ").removeprefix("Never raised: ")
    return text[0].upper() + text[1:]
