"""`python -m progress_sse`."""

from progress_sse.cli.main import main

main(prog_name="progress-sse")
