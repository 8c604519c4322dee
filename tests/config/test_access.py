"""Where the API is served, and what protects it there."""

import pytest

ENTRY = "entries: {A: {driver: memory}}\n"
WIDE = ["0.0.0.0:1", "'[::]:1'", "10.0.0.1:80", "example.org:80"]


@pytest.mark.parametrize("where", WIDE)
def test_beyond_loopback_something_must_protect_passwords(faults, where):
    [said] = faults(f"{ENTRY}listen: [127.0.0.1:1, {where}]")

    plain = where.strip("'")
    assert said.startswith(f"listen.1: {plain} can be reached from other machines")
    assert "set tls: {certificate: FILE, key: FILE}, or insecure: true" in said


@pytest.mark.parametrize("where", WIDE)
def test_or_somebody_takes_that_on(sound, where):
    assert sound(f"{ENTRY}listen: [{where}]\ninsecure: true").insecure


def test_insecure_must_be_said_plainly(faults):
    [first, second] = faults(f"{ENTRY}listen: [0.0.0.0:1]\ninsecure: 'true'")

    assert first == "insecure: is not true or false; write one of them, without quotes"
    assert second.startswith("listen.0: ")


def test_what_holds_without_a_word(sound):
    config = sound(ENTRY)

    assert (config.tls, config.insecure, config.names) == (None, False, ())
    assert (config.accounts.loopback, config.accounts.audit_days) == ("login", 365)
    assert config.credentials is None


def test_names(sound, faults):
    config = sound(f"{ENTRY}names: [nas, backup.example.org, 'proxy:8000']")

    assert config.names == ("nas", "backup.example.org", "proxy:8000")
    [said] = faults(f"{ENTRY}names: ['https://nas/']")
    assert said == "names.0: is no NAME or NAME:PORT; write backup.example.org"


def test_origins(sound, faults):
    config = sound(f"{ENTRY}origins: ['https://A.example.org:8443', '*']")
    assert config.origins == ("https://a.example.org:8443", "*")
    [said] = faults(f"{ENTRY}origins: ['https://nas/']")
    assert said == (
        "origins.0: is no place of pages; write https://console.example.org"
    )


def test_what_is_not_known_there(faults):
    [said] = faults(f"{ENTRY}accounts: {{loopbak: open}}")

    assert said == "accounts.loopbak: is not known; did you mean loopback?"
