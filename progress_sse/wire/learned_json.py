"""JSON of what was learned from earlier runs."""

from progress_sse.core.history import Learned, LearnedStep


def show_learned_step(step: LearnedStep) -> dict[str, object]:
    """Return what a step took in earlier runs, JSON-ready."""
    return {"runs": step.runs, "p50_ms": step.p50_ms, "p90_ms": step.p90_ms}


def show_learned(learned: Learned) -> dict[str, object]:
    """Return what is known of a profile, JSON-ready: its steps by name, as far as enough runs have taught them."""
    steps = [
        {"name": name, "learned": show_learned_step(step)}
        for name, step in sorted(learned.steps.items())
        if learned.of(name) is not None
    ]
    return {"runs": learned.runs, "steps": steps}
