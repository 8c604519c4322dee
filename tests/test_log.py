import json
import logging
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from syncd import hiding, log

SECRET = "s3'cr\"et\\\n/ü"


@pytest.fixture(autouse=True)
def as_it_was():
    """Undo what configure does to the process."""
    root, level = logging.getLogger(), logging.getLogger().level
    kept, reports = list(root.handlers), logging.raiseExceptions
    names = ["alembic", "circus", "sqlalchemy", "watchdog", "tornado.access"]
    levels = {name: logging.getLogger(name).level for name in names}
    yield
    for handler in [h for h in root.handlers if h not in kept]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    logging.raiseExceptions = reports
    logging.captureWarnings(capture=False)
    for name in names:
        logging.getLogger(name).setLevel(levels[name])
    logging.getLogger("tornado.access").filters.clear()
    structlog.contextvars.clear_contextvars()


def lines(capsys: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_has_an_event_fields_and_a_time(capsys):
    log.configure("info", "json")

    log.get("syncd.test").info("copied", action="copy", path="ü", bytes=5)

    (line,) = lines(capsys)
    moment = datetime.fromisoformat(line.pop("timestamp"))
    assert moment.utcoffset() == timedelta(0)
    assert line == {
        "event": "copied",
        "action": "copy",
        "path": "ü",
        "bytes": 5,
        "level": "info",
        "logger": "syncd.test",
    }


def test_people_read_one_line(capsys):
    log.configure("info", "console")

    log.get("t").warning("odd name", action="look", path="a\nb\x1b[2J")

    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "odd name" in told
    assert r"a\nb\x1b[2J" in told


def test_a_bug_keeps_its_traceback(capsys):
    log.configure("info", "console")

    try:
        _ = 1 / 0
    except ZeroDivisionError:
        log.get("t").exception("a bug", action="divide")

    told = capsys.readouterr().err
    assert "Traceback (most recent call last)" in told
    assert "_ = 1 / 0" in told


def test_less_important_lines_are_left_out(capsys):
    log.configure("warning", "json")

    log.get("t").info("no")
    log.get("t").warning("yes")

    assert [line["event"] for line in lines(capsys)] == ["yes"]


def test_libraries_take_the_same_way(capsys):
    log.configure("info", "json", [SECRET])

    logging.getLogger("tornado.general").warning(
        "at %s", SECRET, extra={"where": SECRET}
    )
    logging.getLogger("sqlalchemy.engine").info("SELECT")

    (line,) = lines(capsys)
    assert (line["event"], line["where"]) == ("at ********", "********")
    assert line["logger"] == "tornado.general"


def test_every_request_is_told_only_for_debugging(capsys):
    log.configure("info", "json")
    logging.getLogger("tornado.access").warning("404 GET /")
    assert lines(capsys) == []

    log.configure("debug", "json")
    logging.getLogger("tornado.access").warning("404 GET /")
    (line,) = lines(capsys)
    assert (line["event"], line["level"]) == ("404 GET /", "debug")


def test_no_library_keeps_a_way_of_its_own(capsys):
    root = logging.getLogger()
    root.addHandler(logging.StreamHandler(sys.stderr))  # as circus does on import

    log.configure("info", "json", [SECRET])
    log.get("t").info("once", password=SECRET)

    (line,) = lines(capsys)
    assert line["password"] == "********"


def test_configuring_again_does_not_double_lines(capsys):
    log.configure("info", "json")
    log.configure("info", "json")

    log.get("t").info("once")

    assert len(lines(capsys)) == 1


class TestFile:
    def test_lines_are_kept_as_json(self, tmp_path, capsys):
        file = tmp_path / "log/syncd.log"
        log.configure("info", "console", [SECRET], file)

        log.get("t").info("kept", action="keep", password=SECRET)

        line = json.loads(file.read_text())
        assert (line["event"], line["password"]) == ("kept", "********")
        assert file.parent.stat().st_mode & 0o777 == 0o700
        assert "kept" in capsys.readouterr().err

    def test_it_does_not_grow_for_ever(self, tmp_path, monkeypatch):
        monkeypatch.setattr(log, "FILE_SIZE", 1000)
        log.configure("info", "json", file=tmp_path / "syncd.log")

        for number in range(200):
            log.get("t").info("line", number=number)

        kept = list(tmp_path.iterdir())
        assert len(kept) == log.FILES
        assert sum(file.stat().st_size for file in kept) <= log.FILES * 1000
        assert '"number": 199' in (tmp_path / "syncd.log").read_text()

    def test_a_full_disk_is_told_once_and_without_the_line(self, capsys):
        log.configure("info", "json", [SECRET], Path("/dev/full"))

        log.get("t").info("first", password=SECRET)
        log.get("t").info("second")

        told = capsys.readouterr().err
        assert told.count("syncd: cannot write /dev/full") == 1
        assert "second" in told
        assert "s3" not in told


class TestSecrets:
    @pytest.mark.parametrize("format", ["console", "json"])
    def test_none_gets_out_wherever_it_is_put(self, capsys, tmp_path, format):
        file = tmp_path / "f"
        log.configure("debug", format, [SECRET, "1234567"], file)
        structlog.contextvars.bind_contextvars(bound=SECRET)
        logger = log.get("t")

        event = f"event {SECRET}"
        logger.info(event, deep=[{"a": (SECRET, {SECRET: 1})}])
        logger.info("quoted", as_repr=repr(SECRET), as_json=json.dumps(SECRET))
        logger.info("others", path=Path(SECRET), port=1234567, raw=SECRET.encode())
        logger.info("positional %s", SECRET)
        try:
            int(SECRET)
        except ValueError:
            logger.exception("failed", error=ValueError(SECRET))
            logging.getLogger("any").exception("failed")

        told = capsys.readouterr().err + file.read_text()
        assert "s3" not in told
        assert "1234567" not in told
        assert told.count("********") >= 20

    def test_a_line_stays_json_whatever_the_secret(self, capsys):
        log.configure("info", "json", ['"', "e", ":", "{", "null"])

        log.get("t").info("hello", nothing=None, number=5)

        (line,) = lines(capsys)
        assert line["h********llo" if "hello" in line else "numb********r"] == 5

    @given(st.sets(st.text(min_size=1), max_size=4), st.text(), st.text())
    def test_no_text_keeps_one(self, secrets, before, after):
        for secret in secrets:
            told = hiding.scrubbed(f"{before}{secret}{after}", secrets)
            assert secret not in told or "*" in secret

    def test_without_secrets_nothing_changes(self):
        assert hiding.scrubbed("a text", [""]) == "a text"


def test_nothing_is_configured_by_importing():
    assert sys.modules["syncd.log"] is log
    assert not any(
        isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter)
        for handler in logging.getLogger().handlers
    )
