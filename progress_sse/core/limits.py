"""How much requests may contain."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """The largest body, text and number of steps; see the settings of these names."""

    max_body_bytes: int
    max_text_chars: int
    max_total_steps: int

    @property
    def context(self) -> dict[str, int]:
        """The validation context of the request models."""
        return {"max_text_chars": self.max_text_chars, "max_total_steps": self.max_total_steps}
