"""The name and password that may come from the environment, beside all accounts."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from syncd.document import Fault

NAME = "BACKUP_DAEMON_API_CREDENTIALS_USERNAME"
PASSWORD = "BACKUP_DAEMON_API_CREDENTIALS_PASSWORD"
FOLDER = "BACKUP_DAEMON_SECRETS_DIR"


class Credentials(NamedTuple):
    """A name and a password; whoever knows them may do what an operator may."""

    name: str
    password: str

    def __repr__(self) -> str:
        """Tell nobody."""
        return "Credentials(...)"


def pair(
    environment: Mapping[str, str],
) -> tuple[Credentials | None, list[Fault]]:
    """Return the pair, None if neither half is set, and what is wrong with it.

    A file of the variable's name in the folder of secrets comes before the variable.
    """
    name, found = _half(environment, NAME)
    password, more = _half(environment, PASSWORD)
    found += more
    if not found and bool(name) != bool(password):
        missing, given = (PASSWORD, NAME) if name else (NAME, PASSWORD)
        words = f"{given} is set and {missing} is not; set both, or neither"
        found.append(Fault((), words))
    if not found and ":" in name:
        words = f"{NAME} has a colon, which ends the name in HTTP Basic; take it out"
        found.append(Fault((), words))
    return (Credentials(name, password) if name and not found else None), found


def _half(environment: Mapping[str, str], variable: str) -> tuple[str, list[Fault]]:
    folder = environment.get(FOLDER)
    if folder:
        file = Path(folder) / variable
        try:
            text = file.read_text(encoding="utf-8")
            return text.removesuffix("\n").removesuffix("\r"), []
        except FileNotFoundError:
            pass  # Then the variable itself counts.
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "is not UTF-8"
            return "", [
                Fault((), f"cannot read {file}: {why}; see to it, or remove it")
            ]
    return environment.get(variable, ""), []
