"""A store of vaults in a local folder."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from math import inf
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from syncd import clock
from syncd.core.vault import Checked, Pin
from syncd.errors import BadRequest, Conflict, NotFound, StorageBusy, StorageError
from syncd.vaults import listing, locks
from syncd.vaults.coding import Coder
from syncd.vaults.durable import flush_folder, telling
from syncd.vaults.durable import replace as replace_file
from syncd.vaults.earlier import Earlier
from syncd.vaults.keys import Keys
from syncd.vaults.opening import (
    LOCK,
    LOCKS,
    MARKS,
    QUARANTINE,
    REMOVING,
    STAGING,
    VAULTS,
    UsedNames,
    opened,
)
from syncd.vaults.staging import LocalStaging, hide
from syncd.vaults.vault import SUMMARY, LocalVault, copied

LONGEST_NAME = 200


class Marks(Struct, frozen=True, omit_defaults=True):
    """What is known of a vault besides what it says itself."""

    pin: Pin | None = None
    checked: Checked | None = None


class Brief(Struct, frozen=True):
    """The part of a summary by which vaults are chosen."""

    name: str
    source: str
    made: float
    partial: bool = False
    failed: str | None = None


class LocalStore:
    """See contract.VaultStore. Several processes may use one at a time.

    ``make``: make the folder if there is none; ``id``: only that store will do. With
    ``compress`` new packs are compressed, with ``keys`` all of the store is encrypted.
    """

    def __init__(
        self,
        root: Path,
        *,
        compress: bool = False,
        keys: Keys | None = None,
        make: bool = True,
        id: str = "",
    ) -> None:
        self.root, self.id = opened(root, keys, make=make, id=id)
        self._coder = Coder(compress=compress, keys=keys)
        self._used = UsedNames(self.root)
        self._briefs: dict[str, Brief] = {}

    @contextmanager
    def stage(self, name: str, source: str, *, job: str) -> Iterator[LocalStaging]:
        """Begin a vault; see contract.VaultStore."""
        checked_name(name)
        place = self.root / STAGING / name
        with telling(self.root):
            lock = self._reserve(name, source, job)
        staging = None
        try:
            staging = LocalStaging(
                place,
                source,
                self._coder,
                self._earlier(source),
                partial(self._publish, name, lock),
            )
            yield staging
        finally:
            if staging is not None:
                staging.close()
            if staging is None or not staging.sealed:
                shutil.rmtree(place, ignore_errors=True)
            lock.release(remove=not (self.root / VAULTS / name).exists())

    def vaults(self) -> list[str]:
        """Return the names of all vaults, failed ones too, oldest first."""
        briefs = [self._brief(name) for name in self._names(VAULTS)]
        return [
            one.name for one in sorted(briefs, key=lambda one: (one.made, one.name))
        ]

    def get(self, name: str) -> LocalVault:
        """Return a vault; raise NotFound."""
        folder = self._folder(name)
        return LocalVault(folder, self._coder, partial(self._note_check, name))

    def remove(self, name: str, *, force: bool = False) -> None:
        """Delete a vault: unlisted first, then gone; see contract.VaultStore."""
        with self.removing(name, force=force):
            pass

    @contextmanager
    def removing(self, name: str, *, force: bool = False) -> Iterator[None]:
        """Delete a vault after what is done within; see contract.VaultStore."""
        folder = self._folder(name)
        lock = self._lock(name)
        try:
            pin = self._marks(name).pin
            over = pin is None or (pin.until or inf) <= clock.timestamp()
            if pin is not None and not (force or over):
                raise Conflict(f"vault {name} is pinned: {pin.reason}")
            yield
            with telling(folder), self._alone():
                gone = self._move_to(folder, REMOVING)
                self._mark_path(name).unlink(missing_ok=True)
                shutil.rmtree(gone)
        finally:
            lock.release(remove=not folder.exists())

    def pin(self, name: str, pin: Pin | None) -> None:
        """Pin a vault, or take the pin away; see contract.VaultStore."""
        lock = self._lock(name, shared=True)
        try:
            with telling(self.root), self._alone():
                self._mark(name, replace(self._marks(name), pin=pin))
        finally:
            lock.release()

    def pins(self) -> Mapping[str, Pin]:
        """Return the pins, expired ones too."""
        marked = ((name, self._marks(name).pin) for name in self._names(VAULTS))
        return {name: pin for name, pin in marked if pin is not None}

    def checks(self) -> Mapping[str, Checked]:
        """Return what is known to be wrong, or not, of every vault that was checked."""
        marked = ((name, self._marks(name).checked) for name in self._names(VAULTS))
        return {name: checked for name, checked in marked if checked is not None}

    def checked(self, name: str) -> Checked | None:
        """Return what the last verification found; None if there was none."""
        self._folder(name)
        return self._marks(name).checked

    @contextmanager
    def lend(self, name: str, why: str) -> Iterator[None]:
        """Keep a vault from being removed meanwhile; see contract.VaultStore."""
        self._folder(name)
        with ExitStack() as held:
            with telling(f"vault {name}, for {why}"):
                lock = self.root / LOCKS / name
                held.enter_context(locks.held(lock, shared=True))
            self._folder(name)  # it may have gone while we waited
            yield

    def quarantine(self) -> list[str]:
        """Move stagings that nobody makes any more aside; return their names."""
        moved = []
        with telling(self.root), self._alone():
            for name in self._names(STAGING):
                try:
                    lock = locks.take(self.root / LOCKS / name)
                except BlockingIOError:
                    continue
                place = self.root / STAGING / name
                hide(place, self._coder)
                self._move_to(place, QUARANTINE)
                lock.release(remove=True)
                moved.append(name)
            for name in self._names(REMOVING):
                shutil.rmtree(self.root / REMOVING / name)
        return moved

    def quarantined(self) -> list[str]:
        """Return the names of what is in quarantine."""
        return self._names(QUARANTINE)

    def discard(self, name: str) -> None:
        """Delete something from quarantine; raise NotFound."""
        folder = self.root / QUARANTINE / checked_name(name)
        if not folder.is_dir():
            raise NotFound(f"{name} is not in quarantine")
        with telling(folder), self._alone():
            shutil.rmtree(self._move_to(folder, REMOVING))

    def _reserve(self, name: str, source: str, job: str) -> locks.Lock:
        with self._alone():
            known = (VAULTS, STAGING, QUARANTINE, REMOVING)
            if name in self._used or any(
                (self.root / kind / name).exists() for kind in known
            ):
                raise Conflict(
                    f"the name {name} was used before in this store; if another daemon"
                    " writes to it, give each a store of its own, and ask again"
                )
            self._used.add(name)
            lock = locks.take(self.root / LOCKS / name, wait=True)
            try:
                maker = {"job": job, "source": source, "process": os.getpid()}
                lock.say(msgspec.json.encode(maker) + b"\n")
                (self.root / STAGING / name).mkdir(mode=0o700)
            except BaseException:
                lock.release(remove=True)
                raise
        return lock

    def _lock(self, name: str, *, shared: bool = False) -> locks.Lock:
        """Lock a vault without waiting; raise NotFound or Conflict."""
        self._folder(name)
        try:
            with telling(self.root):
                lock = locks.take(self.root / LOCKS / name, shared=shared)
        except StorageBusy:
            raise Conflict(f"vault {name} is in use") from None
        try:
            self._folder(name)  # it may have gone meanwhile
        except NotFound:
            lock.release(remove=True)
            raise
        return lock

    def _publish(self, name: str, lock: locks.Lock) -> None:
        place, folder = self.root / STAGING / name, self.root / VAULTS / name
        place.rename(folder)
        try:
            flush_folder(folder.parent)
            flush_folder(place.parent)
        except OSError:
            folder.rename(place)
            raise
        lock.release()

    def _earlier(self, source: str) -> Earlier:
        """Return what the newest good vaults of a source hold.

        One that was made of chosen databases only has little; then one of all, too.
        """
        earlier = Earlier()
        briefs = [self._brief(name) for name in reversed(self.vaults())]
        good = [one for one in briefs if one.source == source and one.failed is None]
        newest = good[:1]
        if newest and newest[0].partial:
            newest += [one for one in good if not one.partial][:1]
        damaged = self._damaged_packs()
        for one in reversed(newest):
            vault = self.get(one.name)
            try:
                text = vault.listing()
                lines = listing.read(text)
            except StorageError:
                continue  # A damaged vault must not keep a new one from being made.
            folder = self.root / VAULTS / one.name
            earlier.know(
                folder,
                lines,
                path=vault.listing_path(),
                text=text,
                made=one.made,
                damaged=damaged,
            )
        return earlier

    def _damaged_packs(self) -> set[str]:
        """Return the packs that some verification found to be damaged."""
        checks = [self._marks(name).checked for name in self._names(MARKS)]
        paths = (fault.path for one in checks if one for fault in one.faults)
        return {path.partition(": ")[0].rpartition("/")[2] for path in paths}

    def _brief(self, name: str) -> Brief:
        if name not in self._briefs:
            path = self.root / VAULTS / name / SUMMARY
            try:
                brief = msgspec.json.decode(path.read_bytes(), type=Brief)
                if brief.name != name:
                    why = copied(name, brief.name)
                    brief = replace(brief, name=name, failed=why)
                self._briefs[name] = brief
            except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
                return Brief(name, "", self._age(name), failed="it cannot be read")
        return self._briefs[name]

    def _age(self, name: str) -> float:
        try:
            return (self.root / VAULTS / name).stat().st_mtime
        except OSError:
            return 0.0

    def _folder(self, name: str) -> Path:
        folder = self.root / VAULTS / checked_name(name)
        if not folder.is_dir():
            raise NotFound(f"no vault {name}")
        return folder

    def _names(self, kind: str) -> list[str]:
        with telling(self.root):
            try:
                found = os.listdir(self.root / kind)  # noqa: PTH208 - names
            except FileNotFoundError:
                return []
        return sorted(name for name in found if not name.startswith("."))

    def _move_to(self, folder: Path, kind: str) -> Path:
        moved = self.root / kind / folder.name
        folder.rename(moved)
        flush_folder(moved.parent)
        flush_folder(folder.parent)
        return moved

    def _alone(self) -> AbstractContextManager[None]:
        return locks.held(self.root / LOCK)

    def _mark_path(self, name: str) -> Path:
        return self.root / MARKS / name

    def _marks(self, name: str) -> Marks:
        try:
            return msgspec.json.decode(self._mark_path(name).read_bytes(), type=Marks)
        except FileNotFoundError:
            return Marks()
        except (OSError, msgspec.MsgspecError) as error:
            raise StorageError(f"{self._mark_path(name)}: {error}") from None

    def _mark(self, name: str, marks: Marks) -> None:
        replace_file(self._mark_path(name), msgspec.json.encode(marks) + b"\n")

    def _note_check(self, name: str, checked: Checked, whole: bool) -> None:
        # Where nothing can be written there is nobody either who would need it.
        with suppress(OSError), self._alone():
            if (self.root / VAULTS / name).is_dir():
                marks = self._marks(name)
                if not whole and marks.checked is not None:
                    known = {fault.path: fault for fault in marks.checked.faults}
                    known |= {fault.path: fault for fault in checked.faults}
                    checked = replace(checked, faults=list(known.values()))
                self._mark(name, replace(marks, checked=checked))


def checked_name(name: str) -> str:
    """Return the name of a vault; raise BadRequest for what no folder can be called."""
    sound = name.isprintable() and "/" not in name and name[:1] not in ("", ".", "-")
    if not sound or name != name.strip() or len(name.encode()) > LONGEST_NAME:
        raise BadRequest(
            f"{name!r} cannot be the name of a vault: it is empty, too long, has a"
            " slash or a control character, or begins with a dot or a dash"
        )
    return name
