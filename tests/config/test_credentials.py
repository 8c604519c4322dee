"""The pair of the environment: both halves or none, files before variables."""

import pytest

from syncd.config.credentials import FOLDER, NAME, PASSWORD, Credentials, pair

ENTRY = "entries: {A: {driver: memory}}\n"


@pytest.mark.parametrize("environment", [{}, {NAME: "", PASSWORD: ""}])
def test_nothing_is_set(environment):
    assert pair(environment) == (None, [])


def test_both_are_set():
    assert pair({NAME: "ops", PASSWORD: "a:b"}) == (Credentials("ops", "a:b"), [])


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({NAME: "ops"}, f"{NAME} is set and {PASSWORD} is not; set both, or neither"),
        ({PASSWORD: "x", NAME: ""}, f"{PASSWORD} is set and {NAME} is not"),
        ({NAME: "a:b", PASSWORD: "x"}, f"{NAME} has a colon"),
    ],
)
def test_halves(environment, words):
    found, [fault] = pair(environment)

    assert found is None
    assert words in fault.words


def test_a_file_comes_before_the_variable_and_loses_one_end_of_line(tmp_path):
    (tmp_path / PASSWORD).write_text("from a file\n\n")
    environment = {NAME: "ops", PASSWORD: "variable", FOLDER: str(tmp_path)}

    assert pair(environment)[0] == Credentials("ops", "from a file\n")


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / NAME).mkdir()

    found, [fault] = pair({NAME: "ops", PASSWORD: "x", FOLDER: str(tmp_path)})

    assert found is None
    assert fault.words.startswith(f"cannot read {tmp_path / NAME}: ")


def test_the_configuration_has_it_and_hides_it(sound, faults, monkeypatch):
    monkeypatch.setenv(NAME, "ops")
    [said] = faults(ENTRY)
    assert said.startswith(f"configuration: {NAME} is set")

    monkeypatch.setenv(PASSWORD, "very secret")
    config = sound(ENTRY)

    assert config.credentials == ("ops", "very secret")
    assert "very secret" in config.secrets()
    assert "very secret" not in repr(config)
    assert "very secret" not in repr(config.credentials)
