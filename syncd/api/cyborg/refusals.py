"""How this dialect refuses: an object that names each field, or one with a detail."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from syncd.errors import BadRequest, SyncdError


class Invalid(BadRequest):
    """A body of which some fields are wrong; ``said`` tells what is wrong of each."""

    def __init__(self, said: Mapping[str, Sequence[str]] | str) -> None:
        """Take the words by the names of fields; a text is about the whole body."""
        if isinstance(said, str):
            super().__init__(said)
            self.said: Mapping[str, Sequence[str]] = {"__all__": [said]}
            return
        words = "; ".join(f"{name}: {' '.join(some)}" for name, some in said.items())
        super().__init__(words)
        self.said = said


class Refused(SyncdError):
    """A refusal with the status and the body that clients know."""

    def __init__(self, said: Any, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        """Take the body; a text is its detail."""
        super().__init__(str(said))
        self.status = status
        self.said = {"detail": said} if isinstance(said, str) else said


def forbidden(
    reason: str = "You do not have permission to perform this action.",
) -> Refused:
    """Return the refusal of what somebody may not do."""
    return Refused(reason, HTTPStatus.FORBIDDEN)
