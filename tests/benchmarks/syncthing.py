"""Two Syncthings on loopback that know of nobody else."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from tests.acceptance.daemon import free_port
from tests.benchmarks.contestant import Durable, program
from tests.benchmarks.followers import Follower, Following, running, seen_in_trees

QUIET = {
    "globalAnnounceEnabled": "false",
    "localAnnounceEnabled": "false",
    "relaysEnabled": "false",
    "natEnabled": "false",
    "announceLANAddresses": "false",
    "crashReportingEnabled": "false",
    "urAccepted": "-1",
    "autoUpgradeIntervalH": "0",
    "startBrowser": "false",
}
FOLDER = {"type": "sendreceive", "rescanIntervalS": "0", "fsWatcherEnabled": "true"}
ENVIRONMENT = {"STNODEFAULTFOLDER": "1", "STNOUPGRADE": "1"}


class Side(NamedTuple):
    """One of the two."""

    home: Path
    root: Path
    port: int
    device: str


class Syncthing(Follower):
    """The best known of those that keep folders in step."""

    durable = Durable.BY_FILE
    programs = ("syncthing",)
    runs_at_most = 2

    def __init__(self, delay: int = 1) -> None:
        self.name = f"syncthing x 2, delay {delay}"
        self._delay = delay

    @contextmanager
    def following(self, source: Path, target: Path, work: Path) -> Iterator[Following]:
        sides = [_generate(work / name, root) for name, root in _named(source, target)]
        for side in sides:
            self._configure(side, sides)
        commands = [
            ["syncthing", "serve", f"--home={side.home}", "--no-browser"]
            for side in sides
        ]
        with running(commands, work, ENVIRONMENT) as processes:
            yield seen_in_trees(processes, source, target)

    def _configure(self, side: Side, sides: list[Side]) -> None:
        path = side.home / "config.xml"
        document = ElementTree.parse(path)
        top = document.getroot()
        _set(_child(top, "gui"), {"address": f"127.0.0.1:{free_port()}"})
        listen = {"listenAddress": f"tcp://127.0.0.1:{side.port}"}
        _set(_child(top, "options"), listen | QUIET)
        for old in (*top.findall("device"), *top.findall("folder")):
            top.remove(old)
        folder = ElementTree.SubElement(
            top,
            "folder",
            {"id": "bench", "path": str(side.root), **FOLDER}
            | {"fsWatcherDelayS": str(self._delay)},
        )
        for each in sides:
            ElementTree.SubElement(folder, "device", {"id": each.device})
            device = ElementTree.SubElement(top, "device", {"id": each.device})
            _set(device, {"address": f"tcp://127.0.0.1:{each.port}"})
        document.write(path)


def _named(source: Path, target: Path) -> list[tuple[str, Path]]:
    return [("one", source), ("other", target)]


def _generate(home: Path, root: Path) -> Side:
    command = [program("syncthing") or "syncthing"]
    options = [f"--home={home}", "--no-default-folder", "--skip-port-probing"]
    subprocess.run([*command, "generate", *options], check=True, capture_output=True)
    (root / ".stfolder").mkdir()
    told = subprocess.run(
        [*command, f"--home={home}", "--device-id"],
        check=True,
        capture_output=True,
        text=True,
    )
    return Side(home, root, free_port(), told.stdout.strip())


def _child(parent: ElementTree.Element, tag: str) -> ElementTree.Element:
    found = parent.find(tag)
    return ElementTree.SubElement(parent, tag) if found is None else found


def _set(parent: ElementTree.Element, words: Mapping[str, str]) -> None:
    for tag, text in words.items():
        for old in parent.findall(tag):
            parent.remove(old)
        ElementTree.SubElement(parent, tag).text = text
