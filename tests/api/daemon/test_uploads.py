"""Uploads: an archive becomes a vault, and nothing of it is left beside."""

import asyncio

import pytest

from syncd.core.job import Event, State
from tests.api.raw import parsed, say

NAME = "20260101T000000"


@pytest.fixture(autouse=True)
def at_once(backups):
    backups.at_once = True


def a_form(content: bytes = b"PK", name: str = f"{NAME}.zip", **fields: str):
    return {
        "files": {"file": (name, content)},
        "data": fields,
    }


def spooled(tmp_path) -> list[str]:
    return [file.name for file in tmp_path.iterdir()]


async def test_a_vault_is_made(http, backups, tmp_path):
    content = bytes(range(256)) * 5000

    answer = await http.post("/restore/backup", **a_form(content))

    assert (answer.status_code, answer.content) == (200, b"")
    assert backups.uploaded == {NAME: content}
    assert (await http.get(f"/listbackups/{NAME}")).json()["is_granular"] is False
    assert spooled(tmp_path) == []


@pytest.mark.parametrize(("type", "granular"), [("full", False), ("granular", True)])
async def test_its_kind(http, type, granular):
    form = a_form(name=f"{NAME}.tgz", type=type)

    assert (await http.post("/restore/backup", **form)).status_code == 200
    stats = (await http.get(f"/listbackups/{NAME}")).json()
    assert stats["is_granular"] is granular


@pytest.mark.parametrize("name", [f"../../{NAME}.zip", f"C:\\x\\{NAME}.zip"])
async def test_a_name_has_no_folders(http, backups, name):
    assert (await http.post("/restore/backup", **a_form(name=name))).status_code == 200
    assert [*backups.uploaded] == [NAME]


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"files": {"other": ("x", b"")}}, (400, "no file")),
        ({"files": {"type": (None, b"full")}}, (400, "no file")),
        (a_form(name=".zip"), (400, "no name")),
        (a_form(name="x/"), (400, "no name")),
        (a_form(name="x.rar"), (400, "NAME.zip or NAME.tgz")),
        (a_form(name="x.tar.gz"), (400, "NAME.zip or NAME.tgz")),
        (a_form(name="x"), (400, "NAME.zip or NAME.tgz")),
        (a_form(type="half"), (500, "type must be full or granular")),
        (a_form(name="strange.zip"), (400, "no name of a vault")),
    ],
)
async def test_refused_in_plain_words(http, backups, tmp_path, form, told):
    status, words = told
    answer = await http.post("/restore/backup", **form)

    assert answer.status_code == status
    assert words in answer.text
    assert answer.headers["Content-Type"].startswith("text/html")
    assert not backups.uploaded
    assert spooled(tmp_path) == []


async def test_words_are_no_markup(http):
    answer = await http.post("/restore/backup", **a_form(name="<b>.zip"))

    assert "<b>" not in answer.text


@pytest.mark.parametrize("more", [{}, {"allow_overwriting": "true"}])
async def test_nothing_is_overwritten(http, backups, tmp_path, more):
    backups.add(NAME)

    answer = await http.post("/restore/backup", **a_form(**more))

    assert answer.status_code == 500
    assert answer.headers["Content-Type"].startswith("text/html")
    assert not backups.uploaded
    assert spooled(tmp_path) == []


async def test_a_broken_archive(http, backups):
    backups.at_once = False
    asking = asyncio.create_task(http.post("/restore/backup", **a_form(b"junk")))
    while not backups.asked:
        await asyncio.sleep(0)
    (id,) = backups.asked
    backups.step(id, Event.START)
    backups.step(id, Event.FAIL, "this is no zip")

    answer = await asking

    assert (answer.status_code, answer.json()) == (500, {"message": "this is no zip"})


async def test_what_is_no_form(http, tmp_path):
    answer = await http.post("/restore/backup", json={})

    assert answer.status_code == 400
    assert "multipart/form-data" in answer.json()["message"]
    assert spooled(tmp_path) == []


async def test_an_end_in_the_middle(http, backups, tmp_path):
    headers = {"Content-Type": "multipart/form-data; boundary=xx"}
    content = (
        b'--xx\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n'
        b"\r\nPK..."
    )
    answer = await http.post("/restore/backup", content=content, headers=headers)

    assert answer.status_code == 400
    assert not backups.uploaded
    assert spooled(tmp_path) == []


async def test_a_client_that_goes_away(port, backups, tmp_path):
    head = (
        "POST /restore/backup HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n"
        "Content-Type: multipart/form-data; boundary=xx\r\n\r\n--xx\r\n"
    )
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.encode())
    await writer.drain()
    while not spooled(tmp_path):
        await asyncio.sleep(0)
    writer.close()
    while spooled(tmp_path):
        await asyncio.sleep(0)

    assert not backups.uploaded


async def test_a_client_that_does_not_wait_for_the_job(port, backups, tmp_path):
    backups.at_once = False
    form = (
        b'--xx\r\nContent-Disposition: form-data; name="file"; filename="'
        + NAME.encode()
        + b'.zip"\r\n\r\nPK\r\n--xx--\r\n'
    )
    head = (
        f"POST /restore/backup HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Length: {len(form)}\r\n"
        "Content-Type: multipart/form-data; boundary=xx\r\n\r\n"
    )
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.encode() + form)
    while not backups.asked:
        await asyncio.sleep(0)
    writer.close()
    (id,) = backups.asked
    backups.finish(id)

    assert backups.asked[id].state is State.SUCCESSFUL
    assert backups.uploaded == {NAME: b"PK"}


class TestLimits:
    @pytest.fixture
    def manners(self):
        return {"upload_limit": 100_000}

    async def test_what_is_announced_as_too_large(self, port, backups, tmp_path):
        head = (
            "POST /restore/backup HTTP/1.1\r\nHost: localhost\r\n"
            "Content-Length: 100001\r\nConnection: close\r\n"
            "Content-Type: multipart/form-data; boundary=xx\r\n\r\n"
        )
        answer = parsed(await say(port, head.encode()))

        assert answer.status == 413
        assert spooled(tmp_path) == []

    async def test_what_turns_out_to_be_too_large(self, http, backups, tmp_path):
        async def endless():
            yield b"--xx\r\nContent-Disposition: form-data; "
            yield b'name="file"; filename="a.zip"\r\n\r\n'
            for _ in range(200):
                yield b"x" * 1000

        headers = {"Content-Type": "multipart/form-data; boundary=xx"}
        answer = await http.post("/restore/backup", content=endless(), headers=headers)

        assert answer.status_code == 413
        assert "larger than 100000" in answer.json()["message"]
        assert not backups.uploaded
        assert spooled(tmp_path) == []


class TestWithoutRoom:
    @pytest.fixture
    def manners(self, tmp_path):
        (tmp_path / "file").touch()
        return {"spool": tmp_path / "file" / "below"}

    async def test_it_is_told(self, http, backups):
        answer = await http.post("/restore/backup", **a_form())

        assert answer.status_code == 503
        assert "cannot be kept" in answer.json()["message"]


class TestFullDisk:
    @pytest.fixture
    def manners(self, tmp_path):
        return {"spool": tmp_path}

    async def test_it_is_told(self, http, backups, monkeypatch, tmp_path):
        full = open("/dev/full", "wb", buffering=0)  # noqa: PTH123, SIM115
        monkeypatch.setattr("os.fdopen", lambda *_, **__: full)

        answer = await http.post("/restore/backup", **a_form(b"x" * 10_000))

        assert answer.status_code == 507
        assert "no room" in answer.json()["message"]
        assert not backups.uploaded
