"""The files that SSH needs for one task, in the task's own folder."""

import asyncio
import os
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from syncd.core.borg.values import Login
from syncd.core.borg.words import Keys

_numbers = count()

_ASKED = """\
#!/bin/sh
exec cat -- "${0%/*}/said"
"""
"""Answers SSH's question for the passphrase of a key."""

AGENT = 'count=$1; shift; ssh-add -q "${@:1:count}" </dev/null && exec "${@:count+1}"'
"""Shell program that is the same for everybody: what differs are its words."""


class Doors:
    """Keys of ours, and the keys by which other machines are known."""

    def __init__(self, login: Login, scratch: Path) -> None:
        self._login = login
        # What an attempt that was killed has left there must not be in the way.
        self._folder = scratch / f"ssh-{os.getpid()}-{next(_numbers)}"
        self._there = False
        self._key = str(self._folder / "key") if login.key else None
        self.keys = Keys(known_hosts=str(self._folder / "known_hosts"), key=self._key)
        self.environment: dict[str, str] = {}
        """What SSH needs in its environment."""
        if login.key_passphrase:
            self.environment = {
                "SSH_ASKPASS": str(self._folder / "ask"),
                "SSH_ASKPASS_REQUIRE": "force",
            }

    async def open(self) -> None:
        """Write the files, readable by nobody else; once is enough."""
        if not self._there:
            await asyncio.to_thread(self._write)
            self._there = True

    def through(
        self, words: Sequence[str], lent: Sequence[str] | None = None
    ) -> list[str]:
        """Return words as they run beside an agent that has our key, if one is needed.

        That is for a key with a passphrase, which SSH would have to ask for; or to be
        ``lent`` to a client, within these limits, for as long as the words run.
        """
        if self._key is None or (lent is None and not self._login.key_passphrase):
            return list(words)
        added = [*(lent or ()), "--", self._key]
        return [
            *("ssh-agent", "bash", "-c", AGENT, "bash"),
            *(str(len(added)), *added, *words),
        ]

    def _write(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True)
        lines = "".join(f"{line}\n" for line in self._login.known_hosts)
        self._put("known_hosts", lines)
        if self._login.key:
            self._put("key", self._login.key.rstrip("\n") + "\n")
        if self._login.key_passphrase:
            self._put("said", f"{self._login.key_passphrase}\n")
            self._put("ask", _ASKED, 0o700)

    def _put(self, name: str, text: str, mode: int = 0o600) -> None:
        file = self._folder / name
        file.touch(mode=mode)
        file.write_text(text)
