"""Providers of virtual machines, as packages announce them."""

from importlib.metadata import EntryPoint

import pytest

from syncd.borg import providers
from syncd.borg.qemu import Qemu
from syncd.errors import ConfigError


def test_ours_is_there():
    assert "qemu" in providers.names()
    assert isinstance(providers.provider("qemu"), Qemu)


def test_one_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(ConfigError, match=r"no provider of .* 'x'; known: .*qemu"):
        providers.dump("x", {})


def test_one_that_is_broken_is_told(monkeypatch):
    point = EntryPoint("x", "syncd.borg.nothing:There", providers.GROUP)
    monkeypatch.setattr(providers, "_announced", lambda _where: {"x": point})

    with pytest.raises(ConfigError, match="cannot be loaded from"):
        providers.provider("x")
