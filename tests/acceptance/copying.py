"""A daemon whose backups come from a scripted source, and what is asked of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import Daemon

ENDED = ("successful", "failed", "canceled")
PATIENCE = 60.0


class Copying(Daemon):
    """One entry, which is not what is backed up: that says ``control``."""

    def __init__(self, home: Path | None = None, **settings: Any) -> None:
        self._backup = settings
        self.secret = "unused"
        super().__init__("A", started=False, home=home)
        self.control: Path = self.home / "control.json"
        self.script(files={"db/a": "one", "other/b": "two"})

    def write_config(self, settings: Any) -> None:
        super().write_config(settings)
        said = yaml.safe_load(self.config.read_text())
        kind = {"kind": "tests.backup.sources:Scripted"}
        source = {**kind, "control": str(self.home / "control.json")}
        said["backup"] = {"source": source, "grace": 2, **self._backup}
        self.config.write_text(yaml.safe_dump(said))

    def set_backup(self, **settings: Any) -> None:
        """Say other things of backups; counts from the next start on."""
        self._backup |= settings
        self.write_config({})

    def environment(self):
        """Return the environment it runs in, with a secret for its configuration."""
        return {**super().environment(), "SYNCD_TEST_SECRET": self.secret}

    def script(self, **said: Any) -> None:
        """Tell the source what to do, besides what it was told."""
        before = json.loads(self.control.read_text()) if self.control.exists() else {}
        self.control.write_text(json.dumps({**before, **said}))

    @property
    def source_holds(self) -> dict[str, str]:
        """Return what the source holds."""
        return dict(json.loads(self.control.read_text())["files"])

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """Return the answer's document; fail if it is a refusal."""
        answer = self._http.request(method, f"/api/v1.0{path}", **more)
        assert answer.is_success, answer.text
        return answer.json()

    def back_up(self, **wanted: Any) -> dict[str, Any]:
        """Ask for a backup and return its job."""
        job: dict[str, Any] = self.ask("POST", "/backups", json=wanted)
        return job

    def restore(self, vault: str, **wanted: Any) -> dict[str, Any]:
        """Ask for a restore and return its job."""
        asked = {"vault": vault, **wanted}
        job: dict[str, Any] = self.ask("POST", "/restores", json=asked)
        return job

    def job(self, id: str) -> dict[str, Any]:
        """Return a job as it is now."""
        job: dict[str, Any] = self.ask("GET", f"/jobs/{id}")
        return job

    def until(self, id: str, fact: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """Wait until the fact holds of a job, and return it as it was last seen."""
        wait_for(
            lambda: fact(self.job(id)),
            PATIENCE,
            lambda: f"{self.job(id)}\n{self.log_end()}",
        )
        return self.job(id)

    def ended(self, id: str) -> dict[str, Any]:
        """Wait for the end of a job and return it."""
        return self.until(id, lambda job: job["state"] in ENDED)

    def said(self, id: str) -> str:
        """Return the log of a job."""
        return self._http.get(f"/api/v1.0/jobs/{id}/log").text

    def until_it_hangs(self, id: str) -> None:
        """Wait until the source of a running job says that it hangs."""
        wait_for(lambda: "hanging" in self.said(id), PATIENCE, self.log_end)

    def vaults(self) -> list[dict[str, Any]]:
        """Return the vaults in the catalogue."""
        found: list[dict[str, Any]] = self.ask("GET", "/backups")["vaults"]
        return found
