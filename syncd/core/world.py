"""What decisions about files need to know besides the file."""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import force_setattr, replace

from syncd.core.file import File, Kind, Mask, Slot, has, mask
from syncd.core.guard import FREELY, Keeping, Limits
from syncd.core.ignoring import Ignored
from syncd.core.rules import Rules, Step, Subject, Verdict


class OnDelete(StrEnum):
    """What a deletion on an entry means for the others."""

    PROPAGATE = "propagate"
    RESTORE = "restore"
    IGNORE = "ignore"


class OnUnmatch(StrEnum):
    """What becomes of a copy that no rule wants any more."""

    KEEP = "keep"
    TRASH = "trash"
    DELETE = "delete"


class Member(Struct, frozen=True):
    """One configured entry, as far as decisions need it."""

    name: str
    on_delete: OnDelete = OnDelete.PROPAGATE
    on_unmatch: OnUnmatch = OnUnmatch.KEEP
    prefer: tuple[str, ...] = ()
    """Entries whose content wins a conflict, best first."""
    larger: bool = False
    """The larger content wins a conflict."""
    ignore: tuple[str, ...] = ()
    """What the entry leaves out, in the grammar of .gitignore."""
    manual: bool = False
    """A person decides a conflict of what was made here."""
    limits: Limits = Limits()
    """How much may change there at once without a person being asked."""


class World(Struct, frozen=True):
    """The entries and rules in force, and the time."""

    members: dict[Slot, Member]
    """The configured entries, in the order of the configuration."""
    rules: Rules
    now: float
    """Seconds since 1970."""
    ignored: dict[Slot, Ignored] = {}
    """Made of the members' patterns, for those that have any."""
    doubted: dict[Slot, int] = {}
    """Copies changed since then, in nanoseconds, may not have survived a power cut."""

    slots: Mask = 0
    """Every configured entry; made of the members."""
    pruning: Mask = 0
    """Those where copies that no rule wants any more go."""
    keeping: Keeping = FREELY
    """Of which entries what changes is kept from the others for now."""

    def __post_init__(self) -> None:
        keep = OnUnmatch.KEEP
        prune = [s for s, one in self.members.items() if one.on_unmatch is not keep]
        force_setattr(self, "slots", mask(self.members))
        force_setattr(self, "pruning", mask(prune))

    def judge(self, file: File, origin: Mask) -> Verdict:
        """Return what the rules say of the file, made on the entries of origin.

        An entry never owns what it ignores, nor a version that it let go.
        """
        verdict = self.rules.judge(_subject(file, origin), self.now)
        but = file.let_go
        for slot, ignored in self.ignored.items():
            folder = file.kind is Kind.DIRECTORY
            concerned = has(verdict.owners | verdict.undecided, slot)
            if concerned and ignored.has(file.path, folder=folder):
                but |= 1 << slot
        if not but:
            return verdict
        owners, undecided = verdict.owners & ~but, verdict.undecided & ~but
        return replace(verdict, owners=owners, undecided=undecided)

    def ignoring(self, file: File, slot: Slot) -> str | None:
        """Return the pattern by which the entry leaves the file out, if it does."""
        if (ignored := self.ignored.get(slot)) is None:
            return None
        return ignored.pattern(file.path, folder=file.kind is Kind.DIRECTORY)

    def explain(self, file: File) -> list[Step]:
        """Return what each rule does for the file, in order."""
        subject = _subject(file, file.origin & self.slots)
        return self.rules.explain(subject, self.now)


def _subject(file: File, origin: Mask) -> Subject:
    return Subject(
        path=file.path,
        kind=file.kind,
        size=file.size,
        mtime_ns=file.mtime_ns,
        mime=file.mime,
        origin=origin,
    )
