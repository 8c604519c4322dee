"""Who may do what: roles, the named actions they allow, and somebody who asks."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from syncd.errors import BadRequest, NotAllowed, NotLoggedIn


class Action(StrEnum):
    """What a request does, by the name that tokens are limited to."""

    ENTER = "enter"
    """What everybody who is logged in may: ask who they are, and leave."""
    READ = "sync.read"
    """Look at files, entries, rules and events."""
    CHANGE = "sync.change"
    """Change rules, stop entries, undo, settle conflicts, approve what is held."""
    METRICS = "metrics"
    BACKUP_READ = "backup.read"
    """Look at vaults, jobs and their logs."""
    BACKUP_RUN = "backup.run"
    """Ask for backups, check them, pin them."""
    BACKUP_DOWNLOAD = "backup.download"
    """Carry away what a vault holds."""
    BACKUP_RESTORE = "backup.restore"
    BACKUP_EVICT = "backup.evict"
    """Give vaults up."""
    BACKUP_MANAGE = "backup.manage"
    """Say which machines are backed up, when and where to, and know the keys."""
    OPTOOLS_SETTINGS = "blockchain.optools.settings"
    """Back up and restore the console of a blockchain network."""
    OPTOOLS_VIEW = "blockchain.optools.view"
    """See how such a restore goes."""
    ACCOUNTS = "accounts"
    """Look after users and their tokens."""
    AUDIT = "audit"
    """Read who did what."""


class Role(StrEnum):
    """What a user is there for."""

    ADMIN = "admin"
    OPERATOR = "operator"
    VIEWER = "viewer"


LOOKING = frozenset(
    {
        Action.ENTER,
        Action.READ,
        Action.METRICS,
        Action.BACKUP_READ,
        Action.OPTOOLS_VIEW,
        Action.AUDIT,
    }
)
"""Actions that change nothing and hand out nothing that was put away."""

_VIEWER = LOOKING - {Action.AUDIT}
_OPERATOR = _VIEWER | {
    Action.CHANGE,
    Action.BACKUP_RUN,
    Action.BACKUP_DOWNLOAD,
    Action.BACKUP_RESTORE,
    Action.BACKUP_EVICT,
    Action.OPTOOLS_SETTINGS,
}

ALLOWED: Mapping[Role, frozenset[Action]] = {
    Role.VIEWER: _VIEWER,
    Role.OPERATOR: _OPERATOR,
    Role.ADMIN: frozenset(Action),
}
"""What each role may do."""


class Who(Struct, frozen=True):
    """Somebody who asks, and what they may do."""

    name: str
    role: Role | None
    """None for somebody who has not logged in."""
    actions: frozenset[Action]
    means: str
    """How they proved who they are: ``password``, ``token KEY``, ``session``, ..."""

    def may(self, action: Action) -> bool:
        """Tell whether they may do that."""
        return action in self.actions

    def require(self, action: Action) -> None:
        """Raise NotLoggedIn or NotAllowed unless they may do that."""
        if self.may(action):
            return
        if self.role is None:
            raise NotLoggedIn("log in first: this needs a user, or a token of one")
        raise NotAllowed(f"{self.name} may not do this: it takes the action {action}")


NOBODY = Who("", None, frozenset(), "nothing")
"""Somebody who has not said who they are."""

ANYBODY = Who("anybody", Role.ADMIN, ALLOWED[Role.ADMIN], "no login")
"""Whoever asks where there are no accounts."""

NEIGHBOUR = Who("anybody here", Role.OPERATOR, ALLOWED[Role.OPERATOR], "no login")
"""Whoever asks from this machine, where such need not log in."""


def allowed(role: Role, only: Iterable[str] = ()) -> frozenset[Action]:
    """Return what the role allows, or of that, what a token is limited to.

    Names that no action has (any more) allow nothing; no names are no limit.
    """
    names = set(only)
    if not names:
        return ALLOWED[role]
    return ALLOWED[role] & ({one for one in Action if one in names} | {Action.ENTER})


def limits(role: Role, names: Iterable[str]) -> list[Action]:
    """Return the actions of these names, for a token of somebody with the role.

    Raise BadRequest for a name that is none, or of what the role does not allow.
    """
    found = []
    for name in names:
        if name not in frozenset(Action):
            known = ", ".join(sorted(Action))
            raise BadRequest(f"there is no action {name!r}; known are {known}")
        action = Action(name)
        if action not in ALLOWED[role]:
            raise BadRequest(
                f"a token cannot do more than its user: the role {role} does not"
                f" allow {name}; choose a user with another role"
            )
        found.append(action)
    return sorted(set(found))


def role_named(name: str) -> Role:
    """Return the role of that name; raise BadRequest if there is none."""
    try:
        return Role(name)
    except ValueError:
        known = ", ".join(Role)
        raise BadRequest(f"there is no role {name!r}; known are {known}") from None
