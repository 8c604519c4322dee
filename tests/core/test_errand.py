import pytest

from syncd import wire
from syncd.core.backup import VaultView
from syncd.core.borg.tasks import FetchHostKeys, Result, Sizes
from syncd.core.errand import Advance, Cancel, Command, Deed, Done, Part, Work
from syncd.core.job import Kind, Progress
from syncd.core.vault import Pin, Summary


def test_every_kind_of_job_is_something_a_worker_can_do():
    deeds = {str(deed) for deed in Deed}
    assert {str(kind) for kind in Kind if not kind.only_borg} < deeds


@pytest.mark.parametrize(
    "message",
    [
        Work(
            id="1",
            deed=Deed.BACKUP,
            store=Part("m:c", {"path": "/v"}),
            source=Part("m:d"),
            entries={"A": {"driver": "x"}},
            asked={"databases": ["a", {"b": [1, None]}]},
            log="/log",
            scratch="/scratch",
            secrets=["hush"],
            before=[Command(["true"], 1.0)],
        ),
        Work(
            id="2",
            deed=Deed.BORG,
            borg=FetchHostKeys(host="web"),
            log="/log",
            scratch="/scratch",
        ),
        Cancel("why"),
    ],
)
def test_what_a_worker_is_told_arrives(message):
    assert wire.decode_down(wire.encode(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        Advance(Progress(bytes=1, total_items=2, phase="reading"), 3),
        Done(
            result={"files": 1},
            vaults=[
                VaultView(
                    summary=Summary(name="v", source="s", made=1.0),
                    pin=Pin("law", "me", 1.0),
                )
            ],
            gone=["w"],
            aside=["x"],
            error="no room",
            reason="full",
            retry=True,
        ),
        Done(borg=Result(archive="a", sizes=Sizes(original=1))),
    ],
)
def test_what_a_worker_tells_arrives(message):
    assert wire.decode_up(wire.encode(message)) == message
