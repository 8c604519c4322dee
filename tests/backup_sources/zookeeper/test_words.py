"""What members of an ensemble say of themselves."""

import asyncio

from syncd.backup_sources.zookeeper import words
from syncd.backup_sources.zookeeper.words import Ensemble, Member


def member(role: str, zxid: int) -> Member:
    return Member(role, True, {"Mode": role}, zxid)


async def test_a_backup_from_far_behind_the_leader_is_a_failure(park, monkeypatch):
    async def asked(*_: object) -> Ensemble:
        return Ensemble([member("leader", 1 << 40), member("follower", 7)])

    monkeypatch.setattr(words, "asked", asked)
    report, _ = await park.report()

    assert "behind" in report.failed["lag"]
    assert report.origin["lag"] > 1 << 39


async def test_an_answer_may_come_in_pieces(monkeypatch):
    read, heard = asyncio.StreamReader.read, asyncio.Event()

    async def told(reader: asyncio.StreamReader, most: int) -> bytes:
        some = await read(reader, most)
        heard.set()
        return some

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        assert await reader.readexactly(4) == b"srvr"
        writer.write(b"Zookeeper version: 3.8.0-1\nZxid: 0x1f\n")
        await heard.wait()
        writer.write(b"Mode: leader\n")
        writer.close()

    monkeypatch.setattr(asyncio.StreamReader, "read", told)
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        found = await words.asked([f"127.0.0.1:{port}"], None)

    assert found.leader is not None
    assert (found.leader.zxid, found.version) == (0x1F, "3.8.0")


def test_the_last_one_is_how_far_the_ensemble_is_behind():
    silent = Member("silent", True)
    some = [member("follower", 7), member("leader", 10), silent, Member("gone")]

    assert Ensemble(some).furthest == 3
    assert Ensemble(some).leader == some[1]
    assert Ensemble(some[2:]).furthest is None
    assert Ensemble(some[2:]).lag(5) is None
    assert "not there: gone" in Ensemble(some).words
    assert "silent may not tell" in Ensemble(some).words
