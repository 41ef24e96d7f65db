"""Our command line on a possible later uvicorn: `python -m tests.live.changed_uvicorn PART serve …`.

The inner part PART of uvicorn's HTTP protocol module is renamed everywhere in the module, so that uvicorn itself works
as before.
"""

import sys
from importlib.util import find_spec, module_from_spec
from pathlib import Path

MODULE = "uvicorn.protocols.http.httptools_impl"


def rename(part: str) -> None:
    """Give a part of the module another name, for all that import it from now on."""
    spec = find_spec(MODULE)
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text("utf-8")
    assert part in source, f"uvicorn has no {part} any more"
    module = sys.modules[MODULE] = module_from_spec(spec)
    exec(compile(source.replace(part, "renamed_part"), spec.origin, "exec"), vars(module))  # noqa: S102


if __name__ == "__main__":
    rename(sys.argv.pop(1))
    from progress_sse.cli.main import main

    main()
