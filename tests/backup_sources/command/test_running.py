"""Commands that fail, hang, ignore signals, leave others behind, never stop talking."""

import asyncio
import os
import shlex
import signal
import sys
from pathlib import Path

import psutil
import pytest

from syncd.backup_sources.command import running
from syncd.backup_sources.command.running import run
from syncd.errors import StorageError

ENVIRONMENT = {"PATH": os.environ["PATH"]}
WITHIN = 60.0

DAEMON = """
import os, signal, sys, time
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(600)
"""
"""Does all that a daemon does to be nobody's child, and heeds no polite signal."""


def python(program: str, *words: str) -> list[str]:
    return [sys.executable, "-c", program, *words]


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


async def said(words, **options):
    printed = bytearray()
    async with asyncio.timeout(WITHIN):
        ended = await run(words, printed.extend, environment=ENVIRONMENT, **options)
    return ended, bytes(printed)


async def appears(file: Path) -> str:
    async with asyncio.timeout(WITHIN):
        while not (file.exists() and file.read_text().strip()):
            await asyncio.sleep(0.01)
    return file.read_text().strip()


def is_there(pid: str | int) -> bool:
    try:
        return psutil.Process(int(pid)).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_a_command_is_run_and_says_what_it_says():
    ended, printed = await said(shell("echo out; echo err >&2"))

    assert (ended.code, ended.left, ended.late) == (0, 0, False)
    assert sorted(printed.split()) == [b"err", b"out"]


async def test_errors_can_be_told_apart():
    errors = bytearray()
    _, printed = await said(shell("echo out; echo err >&2"), take_errors=errors.extend)

    assert (printed, bytes(errors)) == (b"out\n", b"err\n")


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -9 $$", -9)])
async def test_the_exit_code_is_told(script, code):
    ended, _ = await said(shell(script))

    assert ended.code == code


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["/no/such/program"], "No such file"),
        (["no-such-program"], "No such file"),
        (["/etc/passwd"], "Permission denied"),
        (["true", *["x" * 100_000] * 100], "too long"),
        (["true", "x\0y"], "null byte"),
    ],
)
async def test_what_cannot_be_started_is_an_error(words, why):
    with pytest.raises(StorageError, match=f"cannot be started.*{why}"):
        await said(words)


async def test_words_arrive_as_they_are(tmp_path):
    words = ["", "a b", '"', "'", "$(id)", "\n", "-x", "é", "--"]
    _, printed = await said(python("import sys; print(ascii(sys.argv[1:]))", *words))

    assert printed.decode().strip() == ascii(words)


async def test_nothing_of_our_environment_is_there_but_what_is_given(monkeypatch):
    monkeypatch.setenv("BACKUP_DAEMON_API_CREDENTIALS_PASSWORD", "secret")
    _, printed = await said(["/usr/bin/env"])

    assert printed.decode().strip() == f"PATH={ENVIRONMENT['PATH']}"


async def test_nothing_is_there_to_be_read_and_no_other_file_open():
    listing = "import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:-1])"
    _, printed = await said(python("import sys; print(ascii(sys.stdin.read()))"))
    _, descriptors = await said(python(listing))

    assert printed.strip() == b"''"
    assert descriptors.strip() == b"[0, 1, 2]"


async def test_it_is_in_a_group_and_a_session_of_its_own():
    _, printed = await said(
        python("import os; print(os.getpgid(0) == os.getpid(), os.getsid(0))")
    )
    own_group, session = printed.split()

    assert own_group == b"True"
    assert int(session) != os.getsid(0)


async def test_a_command_heeds_signals_that_its_keeper_does_not():
    ended, _ = await said(shell("kill -TERM $$; sleep 60"))

    assert ended.code == -signal.SIGTERM


async def test_a_time_out_ends_it_politely(tmp_path):
    script = f"trap 'echo bye; exit 7' TERM; echo > {tmp_path}/up; sleep 600 & wait"
    task = asyncio.ensure_future(said(shell(script), limit=2))
    await appears_or_ends(tmp_path / "up", task)
    ended, printed = await task

    assert ended.late
    assert ended.code in (7, -signal.SIGTERM)
    assert printed in (b"bye\n", b"")


async def appears_or_ends(file: Path, task: "asyncio.Future[object]") -> None:
    async with asyncio.timeout(WITHIN):
        while not file.exists() and not task.done():
            await asyncio.sleep(0.01)


async def test_a_time_out_kills_what_ignores_signals():
    program = (
        "import signal, time\n"
        "for n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\n"
        "print('deaf', flush=True)\n"
        "time.sleep(600)\n"
    )
    ended, printed = await said(python(program), limit=3, grace=0.1)

    assert (ended.code, ended.late) == (-signal.SIGKILL, True)
    assert printed == b"deaf\n"


async def test_a_plea_comes_first(tmp_path):
    (tmp_path / "go").touch()

    async def plea() -> None:
        (tmp_path / "go").unlink()
        while (tmp_path / "up").exists():
            await asyncio.sleep(0.01)

    script = (
        f"cd {tmp_path}; echo > up; while [ -e go ]; do sleep 0.05; done;"
        " echo pleased; rm up; exit 4"
    )
    ended, printed = await said(shell(script), limit=1, plea=plea, grace=30)

    assert (ended.code, ended.late, printed) == (4, True, b"pleased\n")


async def test_a_daemon_that_outlives_its_command_is_ended(tmp_path):
    words = python(DAEMON, str(tmp_path / "pid"))
    script = f"{shlex.join(words)} & while [ ! -s {tmp_path}/pid ]"
    ended, _ = await said(shell(f"{script}; do sleep 0.05; done; exit 0"))

    assert (ended.code, ended.left) == (0, 1)
    assert not is_there((tmp_path / "pid").read_text())


async def test_a_daemon_does_not_survive_a_cancelled_command(tmp_path):
    words = python(DAEMON, str(tmp_path / "pid"))
    script = f"{shlex.join(words)}; sleep 600"
    task = asyncio.ensure_future(said(shell(script), grace=0.1))
    daemon = await appears(tmp_path / "pid")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not is_there(daemon)


async def test_being_cancelled_again_means_now(tmp_path):
    script = f"trap '' TERM; echo $$ > {tmp_path}/pid; while :; do sleep 1; done"
    task = asyncio.ensure_future(said(shell(script), grace=600))
    pid = await appears(tmp_path / "pid")
    task.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not is_there(pid)


async def test_what_breeds_faster_than_one_looks_is_killed(tmp_path):
    program = (
        "import os, sys, time\n"
        "open(sys.argv[1], 'w').write('x')\n"
        "end = time.monotonic() + 30\n"
        "while time.monotonic() < end:\n"
        "    if os.fork():\n"
        "        os._exit(0)\n"
        "    os.setsid()\n"
    )
    words = python(program, str(tmp_path / "up"))
    script = f"{shlex.join(words)} & sleep 600"
    task = asyncio.ensure_future(said(shell(script), grace=0.1))
    await appears(tmp_path / "up")
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert before
    assert not [
        child
        for child in psutil.process_iter(["cmdline"])
        if str(tmp_path / "up") in (child.info["cmdline"] or [])
    ]


async def test_nothing_outlives_a_killed_worker(tmp_path):
    words = python(DAEMON, str(tmp_path / "daemon"))
    script = (
        f"{shlex.join(words)};"
        f" trap '' TERM; echo $$ > {tmp_path}/pid; while :; do sleep 1; done"
    )
    worker = (
        "import asyncio, sys\n"
        "from syncd.backup_sources.command.running import run\n"
        "asyncio.run(run(['/bin/sh', '-c', sys.argv[1]], lambda data: None,"
        " environment={}))\n"
    )
    process = await asyncio.create_subprocess_exec(*python(worker, script))
    pids = [await appears(tmp_path / name) for name in ("pid", "daemon")]
    keepers = psutil.Process(process.pid).children()
    process.kill()
    await process.wait()

    async with asyncio.timeout(WITHIN):
        while any(is_there(pid) for pid in [*pids, *(str(k.pid) for k in keepers)]):
            await asyncio.sleep(0.01)
    assert len(keepers) == 1


async def test_a_hundred_megabytes_are_no_more_than_a_pipe_full():
    total = 0

    def take(data: bytes) -> None:
        nonlocal total
        total += len(data)
        assert len(data) <= 1 << 16

    program = "import sys\nfor _ in range(1600): sys.stdout.write('x' * 65536)"
    async with asyncio.timeout(WITHIN):
        ended = await run(python(program), take, environment=ENVIRONMENT)

    assert (ended.code, total) == (0, 1600 << 16)


async def test_who_still_writes_is_found(tmp_path):
    program = (
        "import sys, time\n"
        "file = open(sys.argv[1] + '/dump', 'w'); file.write('half'); file.flush()\n"
        "time.sleep(600)\n"
    )
    words = python(program, str(tmp_path))
    script = f"{shlex.join(words)} & while [ ! -s {tmp_path}/dump ]"
    ended, _ = await said(shell(f"{script}; do sleep 0.05; done"), folder=tmp_path)

    assert ended.left == 1
    assert len(ended.writing) == 1


async def test_who_only_reads_is_not_taken_for_a_writer(tmp_path):
    (tmp_path / "dump").write_text("whole")
    ended, _ = await said(shell(f"sleep 600 < {tmp_path}/dump &"), folder=tmp_path)

    assert (ended.left, ended.writing) == (1, [])


async def test_a_killed_keeper_is_told_of():
    task = asyncio.ensure_future(said(shell("sleep 600")))
    async with asyncio.timeout(WITHIN):
        while not psutil.Process().children(recursive=True):
            await asyncio.sleep(0.01)
    (keeper,) = psutil.Process().children()
    below: list[psutil.Process] = []
    async with asyncio.timeout(WITHIN):
        while not below:
            below = keeper.children(recursive=True)
            await asyncio.sleep(0.01)
    keeper.kill()

    with pytest.raises(StorageError, match="lost sight of"):
        await task
    for process in below:
        process.kill()


async def test_a_command_inherits_what_it_is_given():
    reading, writing = os.pipe()
    os.write(writing, b"secret")
    os.close(writing)
    try:
        program = "import os, sys; os.write(1, os.read(int(sys.argv[1]), 99))"
        words = python(program, str(reading))
        _, printed = await said(words, descriptors=[reading])
    finally:
        os.close(reading)

    assert printed == b"secret"


async def test_all_is_read_even_if_we_stood_still_when_it_ended(monkeypatch):
    def never_called(self, descriptor, take):
        os.set_blocking(descriptor, False)
        self._reading[descriptor] = take

    monkeypatch.setattr(running._Kept, "_read", never_called)
    monkeypatch.setattr(running, "_LAST_WORDS", 0.0)

    ended, printed = await said(shell("head -c 60000 /dev/zero"))

    assert (len(printed), ended.cut) == (60_000, False)
