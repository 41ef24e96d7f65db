"""`python -m progress_sse`."""

from progress_sse.cli import main

main(prog_name="progress-sse")
