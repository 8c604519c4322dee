"""A child that speaks the wire and misbehaves as its name says."""

import argparse
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import zmq

from syncd import wire


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--link", required=True)
    parser.add_argument("--parent", type=int, required=True)
    args = parser.parse_args()
    kind = args.name.split()[0]
    if kind == "dies":
        sys.exit(3)
    signal.signal(signal.SIGTERM, lambda *_: kind == "deaf" or os._exit(0))
    link: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    link.set(zmq.LINGER, 0)
    link.set(zmq.IDENTITY, args.name.encode())
    link.connect(f"ipc://{args.link}")
    if kind != "dumb":
        link.send(wire.encode(wire.Ask(args.name, os.getpid())))
    talk(link, args.name, kind, os.pidfd_open(args.parent))


def talk(link: "zmq.Socket[bytes]", name: str, kind: str, parent: int) -> None:
    poller = zmq.Poller()
    if kind != "hung":
        poller.register(link, zmq.POLLIN)
    poller.register(parent, zmq.POLLIN)
    while parent not in dict(poller.poll()):
        message = wire.decode_down(link.recv())
        if isinstance(message, wire.Settings):
            greet(link, name, kind, message)
        elif isinstance(message, wire.Rescan):
            obey(link, message.path, parent)
        elif isinstance(message, wire.Stop) and kind not in ("deaf", "termed"):
            return
    return


def greet(link: "zmq.Socket[bytes]", name: str, kind: str, mine: wire.Settings) -> None:
    def say(message: wire.Up) -> None:
        link.send(wire.encode(message))

    if kind == "noisy":
        for frame in (b"", b"\xc1", b"\x91" * 5000, os.urandom(1000)):
            link.send(frame)
        link.send_multipart([b"two", b"parts"])
    facts = f"{mine.options.get('secret')} {sorted(os.environ)} {open_files()}"
    say(wire.Hello(name, os.getpid(), facts, True, None, 0))
    say(wire.Told("warning", "it rains", {"event": 1, "drops": 7, "entry": "no"}))
    say(wire.Figures(1, 2, True, None, 0.25))


def open_files() -> list[str]:
    """Return what is open besides standard input, output and error, and not ours."""
    links = [path for path in Path("/proc/self/fd").iterdir() if int(path.name) > 2]
    names = [str(path.readlink()) for path in links if path.is_symlink()]
    return [name for name in names if not name.startswith(("anon_inode", "socket"))]


def obey(link: "zmq.Socket[bytes]", command: str, parent: int) -> None:
    word, _, number = command.partition(" ")
    if word == "echo":
        link.send(wire.encode(wire.Walked(False, 0.0, int(number))))
    elif word in ("flood", "last-words"):
        for n in range(int(number)):
            link.send(wire.encode(wire.Progress(n, n)))
        if word == "last-words":
            link.set(zmq.LINGER, 1000)
            link.close()
            zmq.Context.instance().term()
            os._exit(9)
    elif word == "spawn":
        process = subprocess.Popen(["sleep", "60"])
        link.send(wire.encode(wire.Walked(False, 0.0, process.pid)))
    elif word == "hang":
        select.select([parent], [], [], float(number))
        time.sleep(0)


if __name__ == "__main__":
    main()
