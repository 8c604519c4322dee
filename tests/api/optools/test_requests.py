"""Bodies and lists of ids, in all the forms that clients send."""

import base64
import json
import zipfile
import zlib

import pytest

from syncd.api.optools import requests
from syncd.api.optools.requests import Refused, Rule
from syncd.errors import NoRoom
from tests.api.optools.conftest import NAMES

NEEDED = Rule("attachment", required=True)


@pytest.mark.parametrize(
    ("said", "texts"),
    [
        ({"attachment": ""}, []),
        ({"attachment": "x", "type": 7}, []),
        ({}, ["Expected parameter 'attachment' to exist."]),
        (
            {"attachment": 1},
            [
                "Expected parameter 'attachment' to be of type: 'string',"
                " but instead was: 'number'."
            ],
        ),
        (
            {"attachment": None, "invalid": 1},
            [
                "Expected parameter 'attachment' to be of type: 'string',"
                " but instead was: 'object'.",
                "Parameter 'invalid' is an unknown key for object.",
            ],
        ),
        (
            [1],
            [
                "Expected parameter 'attachment' to exist.",
                "Expected parameter '' to be of type: 'object',"
                " but instead was: 'array'.",
                "Parameter '0' is an unknown key for object.",
            ],
        ),
    ],
)
def test_what_is_wrong_with_a_body(said, texts):
    assert [fault["text"] for fault in requests.faults(said, NEEDED)] == texts


@pytest.mark.parametrize(
    ("said", "ids"),
    [
        (None, []),
        ("", []),
        ("[]", []),
        ('["a","b"]', ["a", "b"]),
        ("\"['a']\"", ["a"]),
        ("['a', 'b']", ["a", "b"]),
        ('"["a"]"', ["a"]),
    ],
)
def test_ids_are_listed_in_several_ways(said, ids):
    assert requests.skipped("skip_system", said) == ids


@pytest.mark.parametrize(
    "said",
    [
        "a",
        "{}",
        "[1]",
        '"a"',
        "7",
        "[",
        "['a'",
        "[" * 60_000,
        "[" * 100_000,
        "open('x')",
    ],
)
def test_what_lists_no_ids_is_refused(said):
    with pytest.raises(Refused) as caught:
        requests.skipped("skip_system", said)
    assert caught.value.status == 400
    assert "skip_system" in caught.value.said["message"]


@pytest.mark.parametrize("body", [b"{", b"7", b'"x"', b"\xff", b"null"])
def test_what_is_no_document_is_refused(body):
    with pytest.raises(Refused) as caught:
        requests.read(body)
    assert caught.value.said["msg"] == "input error"


def test_only_what_is_needed_of_a_body_is_read():
    many: dict[str, object] = {f"x{number}": [[]] for number in range(1000)}
    body = json.dumps({"attachment": [1], **many}).encode()
    said = requests.read(body, "attachment")

    assert said == {"attachment": [1], **dict.fromkeys(many)}
    assert len(requests.faults(said, NEEDED)) == requests.MOST + 1
    said = requests.read(json.dumps([7] * 1000).encode(), "attachment")
    assert len(requests.faults(said, NEEDED)) == requests.MOST + 2


def test_no_body_is_an_empty_one():
    assert requests.read(b"") == {}


@pytest.mark.parametrize(
    "key", ["comp", "DB_COMPONENTS", "athena_components", "athena-components"]
)
def test_a_database_goes_by_its_name_or_its_role(key):
    assert requests.database(key, NAMES) == "comp"


def deflated(docs) -> str:
    return base64.b64encode(zlib.compress(json.dumps(docs).encode())).decode()


def test_a_whole_backup_becomes_an_archive(tmp_path):
    docs = [{"_id": "x", "n": 1.0}]
    said = {
        "id": "any",
        "_attachments": {"a": "b"},
        "client_webhook_url": "http://h",
        "dbs": {
            "DB_COMPONENTS": {"docs": [], "compressed_docs": deflated(docs)},
            "sys": {"docs": docs, "last_sequence": 7},
        },
    }
    archive = tmp_path / "archive.zip"
    sent = requests.packed(json.dumps(said).encode(), NAMES, archive)
    with zipfile.ZipFile(archive) as there:
        found = json.loads(there.read("document.json"))

    assert (sent.hook, sent.names) == ("http://h", ["comp", "sys"])
    assert found == {
        "dbs": {"comp": {"compressed_docs": deflated(docs)}, "sys": {"docs": docs}}
    }


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, "dbs"),
        ({"dbs": None}, "dbs"),
        ({"dbs": {}}, "no database"),
        ({"dbs": {"HOST_URL": {"docs": []}}}, "no database here"),
        ({"dbs": {"comp": {}}}, "neither docs"),
        ({"dbs": {"comp": {"docs": [{}]}}}, "_id"),
        ({"dbs": {"comp": {"docs": [1]}}}, "cannot be read"),
        ({"dbs": {"comp": {"docs": []}, "DB_COMPONENTS": {"docs": []}}}, "twice"),
        ({"dbs": {"comp": {"compressed_docs": "?"}}}, "cannot be read"),
        ({"dbs": {"comp": {"compressed_docs": deflated([])[:8]}}}, "cannot be read"),
        ({"dbs": {"comp": {"docs": []}}, "client_webhook_url": 7}, "must be text"),
    ],
)
def test_what_is_no_backup_is_refused_before_anything_begins(said, why, tmp_path):
    with pytest.raises(Refused, match=why) as caught:
        requests.packed(json.dumps(said).encode(), NAMES, tmp_path / "archive.zip")
    assert caught.value.status == 400


def test_where_there_is_no_room_it_says_so(tmp_path):
    said = json.dumps({"dbs": {"comp": {"docs": []}}}).encode()
    with pytest.raises(NoRoom, match="cannot be kept: No such file"):
        requests.packed(said, NAMES, tmp_path / "gone" / "archive.zip")


def test_what_inflates_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(requests, "INFLATED", 1 << 20)
    bomb = base64.b64encode(zlib.compress(bytes(4 << 20))).decode()
    said = {"dbs": {"comp": {"compressed_docs": bomb}}}
    with pytest.raises(Refused, match="more than"):
        requests.packed(json.dumps(said).encode(), NAMES, tmp_path / "archive.zip")
