"""Every way syncd refuses or fails, as one short family tree.

* SyncdError
  - ConfigError           the configuration says something syncd cannot do
  - BadRequest            a caller sent something malformed
    + TooLarge              ... or more than we are willing to take
    + WrongType             ... or in a form that we do not read
  - NotAllowed            the caller may not do this
    + NotLoggedIn           ... or may, and has not said who it is
  - NotFound              the named thing does not exist
  - Conflict              the thing exists, but not in a state that permits this
  - Unavailable           syncd cannot do it now, and may later
    + NoRoom                ... because the disk of its own state is full
    + TooManyRequests       ... because this caller asked too often
  - Damaged               syncd's own state is damaged; the next start mends it
  - AlreadyRunning        another daemon holds the state folder
  - StorageError          a storage did not do what it was asked
    + StorageBusy           ... and may do it if asked again
    + StorageChanged        ... because what lies there is not what was expected
    + StorageFull           ... because there is no room
    + StorageReadOnly       ... because nothing may be written there
    + StorageUntrusted      ... because it is not the storage we know
"""


class SyncdError(Exception):
    """Base of all expected failures; anything else is a bug."""

    exit_code = 1


class ConfigError(SyncdError):
    """The configuration asks for something impossible."""

    exit_code = 78


class BadRequest(SyncdError):
    """A caller sent something malformed."""

    exit_code = 64


class TooLarge(BadRequest):
    """A caller sent more than we are willing to take."""


class WrongType(BadRequest):
    """A caller sent something in a form that we do not read."""


class NotAllowed(SyncdError):
    """The caller may not do this."""

    exit_code = 77


class NotLoggedIn(NotAllowed):
    """The caller has not said who it is, or could not prove it."""


class NotFound(SyncdError):
    """The named thing does not exist."""

    exit_code = 66


class Conflict(SyncdError):
    """The thing exists, but not in a state that permits this."""

    exit_code = 75


class Unavailable(SyncdError):
    """Syncd cannot do it now, and may later."""

    exit_code = 69


class NoRoom(Unavailable):
    """The disk that syncd keeps its own state on is full."""


class TooManyRequests(Unavailable):
    """This caller asked too often."""


class Damaged(SyncdError):
    """Syncd's own state is damaged; syncd ends, and the next start mends it."""

    exit_code = 65


class AlreadyRunning(SyncdError):
    """Another daemon holds the state folder."""

    exit_code = 75


class StorageError(SyncdError):
    """A storage did not do what it was asked."""

    exit_code = 74


class StorageBusy(StorageError):
    """A storage may do it if asked again."""


class StorageChanged(StorageError):
    """What lies in the storage is not what the caller expected; nothing was done."""


class StorageFull(StorageError):
    """A storage has no room."""


class StorageReadOnly(StorageError):
    """A storage, or a part of it, is mounted read-only."""


class StorageUntrusted(StorageError):
    """The storage is missing, or is not the one we know; nothing was done."""
