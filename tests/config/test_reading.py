import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.config import Config, read
from syncd.config.reading import WORDS
from syncd.errors import ConfigError

KEYS = st.sampled_from(
    [*Config.model_fields, "A", "driver", "options", "root", "conflict", "prefer", "x"]
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["local_storage", "memory", "/", "127.0.0.1:3862", "~", "1h"])
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6)
    ),
    max_leaves=20,
)
EITHER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_the_configuration_that_comes_with_syncd_is_sound():
    config = read(Path(__file__).parents[2] / "config/syncd.yaml")

    assert [str(address) for address in config.listen] == ["127.0.0.1:3862"]
    assert config.state == Path("var").absolute()
    assert config.rules == Path(__file__).parents[2] / "config/rules.yaml"
    assert [(n, e.driver, e.shown()) for n, e in config.entries.items()] == [
        ("A", "local_storage", {"root": "example/A"}),
        ("B", "local_storage", {"root": "example/B"}),
    ]


@EITHER
@given(st.dictionaries(KEYS, VALUES, max_size=7) | VALUES)
def test_no_value_is_a_bug(tmp_path, value):
    self_made = tmp_path / "syncd.yaml"
    self_made.write_text(json.dumps(value))

    is_told_cleanly(self_made)


@EITHER
@given(st.binary())
def test_no_bytes_are_a_bug(tmp_path, data):
    self_made = tmp_path / "syncd.yaml"
    self_made.write_bytes(data)

    is_told_cleanly(self_made)


def is_told_cleanly(path: Path) -> None:
    try:
        read(path)
    except ConfigError as error:
        lines = str(error).splitlines()
        assert lines
        assert all(line.startswith(f"{path}: ") for line in lines)


def test_every_fault_is_told_at_once(faults, tmp_path):
    told = faults(f"""
        listen: [127.0.0.1]
        stat: var
        log: {{level: loud, fromat: json}}
        limits: {{body: big, requests_per_second: 0}}
        entries:
          A: {{driver: memory, rescan: soon}}
          b/c: {{driver: locl, ignore: ["!", 5], on_unmach: keep}}
          D: {{driver: local_storage, options: {{root: {tmp_path}/D, depth: 3}}}}
          E: 7
          F: {{options: {{}}}}
        """)

    assert {line.partition(": ")[0] for line in told} == {
        "listen.0",
        "stat",
        "log.level",
        "log.fromat",
        "limits.body",
        "limits.requests_per_second",
        "entries.A.rescan",
        "entries.b/c",
        "entries.b/c.driver",
        "entries.b/c.ignore.0",
        "entries.b/c.ignore.1",
        "entries.b/c.on_unmach",
        "entries.D.options.depth",
        "entries.E",
        "entries.F.driver",
    }
    remedy = re.compile(r"; \w|known: \w|text like \w")
    assert all(remedy.search(line) for line in told)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "configuration: is not a mapping; write KEY: VALUE below it"),
        ("[1]", "configuration: is not a mapping; write KEY: VALUE below it"),
        ("{}", "entries: is missing; add it"),
        ("entries: {}", "entries: is empty; give at least 1"),
        (
            "entries: {A: {driver: 5}}",
            "entries.A.driver: is not text; put it in quotes",
        ),
        (
            "entries: {A: {driver: memory, optins: {}}}",
            "entries.A.optins: is not known; did you mean options?",
        ),
        (
            "{entries: {A: {driver: memory}}, log: {quux: 1}}",
            "log.quux: is not known; possible here: format, level",
        ),
        (
            "{entries: {A: {driver: memory}}, limits: {body: yes}}",
            "limits.body: must be bytes, or text like 1MiB or 2 GB, not true",
        ),
        (
            "{entries: {A: {driver: memory, on_delete: never}}}",
            "entries.A.on_delete: is not one of 'propagate', 'restore' or 'ignore';"
            " choose one",
        ),
        (
            "entries: {A: {driver: !env NO_SUCH_VARIABLE}}",
            "entries.A.driver: the environment variable NO_SUCH_VARIABLE is not set;"
            " set it",
        ),
        (
            "entries: {A: {driver: memory}, A: {driver: memory}}",
            "entries.A: stands twice (line 1); keep one",
        ),
        (
            "{entries: {A: {driver: memory}}, state: " + 90 * "[" + 90 * "]" + "}",
            "state: is not text; put it in quotes",
        ),
        (
            "{entries: {A: {driver: memory}}, state: " + 230 * "[" + 230 * "]" + "}",
            "configuration: is nested too deeply; no setting needs that",
        ),
    ],
)
def test_a_fault_says_where_what_and_how_to_mend_it(faults, text, words):
    assert faults(text) == [words]


def test_a_file_that_cannot_be_read_is_a_clean_refusal(tmp_path):
    with pytest.raises(ConfigError, match="No such file or directory; name another"):
        read(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="Is a directory; name another"):
        read(tmp_path)


def test_every_kind_of_error_has_words_that_can_be_filled():
    context = {
        "expected": "x",
        "gt": 0.0,
        "ge": 0.0,
        "le": 1.0,
        "min_length": 1,
        "error": "y",
    }

    assert all(words.format(**context) for words in WORDS.values())


def test_paths_are_relative_to_where_their_writer_thinks(tmp_path, monkeypatch):
    folder = tmp_path / "etc"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    entries = {"A": {"driver": "memory"}}
    (folder / "s.yaml").write_text(yaml.safe_dump({"entries": entries, "state": "v"}))

    config = read(Path("etc/s.yaml"))

    assert config.state == tmp_path / "v"
    assert config.rules == Path("etc/rules.yaml")


class TestSecrets:
    TEXT = """
        entries:
          A:
            driver: local_storage
            options: {root: !env SYNCD_TEST_SECRET}
        """

    @pytest.fixture(autouse=True)
    def secret(self, tmp_path, monkeypatch) -> str:
        text = f"{tmp_path}/sesame"
        monkeypatch.setenv("SYNCD_TEST_SECRET", text)
        return text

    def test_a_driver_gets_them_and_nobody_else(self, sound, secret):
        config = sound(self.TEXT)

        assert config.entries["A"].options == {"root": secret}
        assert config.entries["A"].shown() == {"root": "********"}
        assert config.secrets() == {secret}
        assert secret not in repr(config)

    def test_no_fault_shows_one(self, faults, secret):
        told = faults("""
            listen: [!env SYNCD_TEST_SECRET]
            entries:
              A: {driver: !env SYNCD_TEST_SECRET}
              B: {driver: local_storage, options: {root: !env SYNCD_TEST_SECRET}}
              C: {driver: local_storage, options: {root: !env SYNCD_TEST_SECRET}}
            """)

        assert len(told) == 3
        assert secret not in "".join(told)
