from http import HTTPStatus

import pytest

from syncd import errors
from syncd.api import pace
from syncd.api.answers import answer
from syncd.api.optools import requests


def family(kind: type[Exception]) -> list[type[Exception]]:
    children: list[type[Exception]] = kind.__subclasses__()
    return [k for child in children for k in (child, *family(child))]


OF_THEIR_OWN = (pace.Hurried, requests.Refused)
MEMBERS = [k for k in family(errors.SyncdError) if k not in OF_THEIR_OWN]


@pytest.mark.parametrize("kind", MEMBERS)
def test_every_expected_error_has_a_status_and_keeps_its_words(kind):
    status, reason = answer(kind("why"))

    assert status != HTTPStatus.INTERNAL_SERVER_ERROR
    assert reason == "why"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.BadRequest(""), 400),
        (errors.ConfigError(""), 400),
        (errors.NotAllowed(""), 403),
        (errors.NotFound(""), 404),
        (errors.Conflict(""), 409),
        (errors.TooLarge(""), 413),
        (errors.WrongType(""), 415),
        (errors.TooManyRequests(""), 429),
        (pace.Hurried(2), 429),
        (errors.StorageError(""), 502),
        (errors.Unavailable(""), 503),
        (errors.Damaged(""), 503),
        (errors.NoRoom(""), 507),
        (errors.StorageFull(""), 507),
        (errors.StorageReadOnly(""), 507),
    ],
)
def test_statuses(error, status):
    assert answer(error)[0] == status


def test_a_bug_tells_the_caller_nothing():
    assert answer(KeyError("secret")) == (500, "internal error")
