import pytest
from pydantic import ValidationError

from syncd.backup_sources.command.options import CommandOptions


def options(**said):
    return CommandOptions(**{"backup": "dump %(data_folder)s", **said})


class TestCommands:
    def test_one_is_enough(self):
        said = options().model_dump()

        assert said["backup"] == "dump %(data_folder)s"
        assert said["restore"] == said["list"] == said["evict"] == ""
        assert (said["databases_key"], said["map_key"]) == ("-d", "-m")
        assert said["timeout"] is None

    @pytest.mark.parametrize("deed", ["backup", "restore", "list", "evict"])
    @pytest.mark.parametrize("bad", ['dump "x', "dump %(nope)s", "dump --m=%(mode)s"])
    def test_each_is_checked_with_the_configuration(self, deed, bad):
        with pytest.raises(ValidationError) as caught:
            options(variables=["mode"], **{deed: bad})

        assert [error["loc"] for error in caught.value.errors()] == [(deed,)]

    def test_variables_are_known_to_all(self):
        options(
            variables=["mode", {"region": "eu"}],
            backup="dump %(mode)s %(region)s",
            restore="undump {{ .region }}",
        )

    def test_times_are_text_or_seconds(self):
        said = options(timeout="1h30m", grace=2, quick_timeout="5s")

        assert (said.timeout, said.grace, said.quick_timeout) == (5400.0, 2.0, 5.0)
        with pytest.raises(ValidationError, match="must be seconds, or text like"):
            options(timeout="soon")

    def test_what_is_not_known_is_refused(self):
        with pytest.raises(ValidationError, match="Extra inputs"):
            options(backup_command="dump")


class TestVariables:
    @pytest.mark.parametrize(
        ("variables", "why"),
        [
            (["a b"], "cannot be a variable's name"),
            ([""], "cannot be a variable's name"),
            (["data_folder"], "cannot be a variable's name"),
            ([{"dbs": "x"}], "cannot be a variable's name"),
            (["mode", {"mode": "x"}], "has mode twice"),
            ([{"a": 1, "b": 2}], "several variables"),
            ([{}], "several variables"),
            ([{"mode": "--evil"}], "take it for an option"),
        ],
    )
    def test_that_cannot_be_are_refused(self, variables, why):
        with pytest.raises(ValidationError, match=why):
            options(variables=variables)


class TestEnvironment:
    def test_what_must_be_there_is_taken_from_ours(self, monkeypatch):
        monkeypatch.setenv("ZOOKEEPER_HOST", "zoo")

        said = options(
            must_have_env_vars=["ZOOKEEPER_HOST", "OTHER"], environment={"OTHER": "x"}
        )
        assert said.environment == {"ZOOKEEPER_HOST": "zoo", "OTHER": "x"}

    @pytest.mark.parametrize("value", [None, ""])
    def test_what_is_not_there_is_told_at_once(self, monkeypatch, value):
        monkeypatch.delenv("ZOOKEEPER_HOST", raising=False)
        if value is not None:
            monkeypatch.setenv("ZOOKEEPER_HOST", value)

        with pytest.raises(ValidationError, match=r"ZOOKEEPER_HOST is not set.*set it"):
            options(must_have_env_vars=["ZOOKEEPER_HOST"])

    @pytest.mark.parametrize(
        "name",
        ["BACKUP_DAEMON_API_CREDENTIALS_PASSWORD", "SYNCD_PASSWORD"],
    )
    def test_our_own_secrets_are_never_handed_on(self, monkeypatch, name):
        monkeypatch.setenv(name, "secret")
        with pytest.raises(ValidationError, match="no command gets it") as caught:
            options(must_have_env_vars=[name])

        assert "'secret'" not in str(caught.value)

    @pytest.mark.parametrize(
        "environment", [{"A=B": "x"}, {"": "x"}, {"A B": "x"}, {"A": "x\0"}]
    )
    def test_what_cannot_be_is_refused(self, environment):
        with pytest.raises(ValidationError):
            options(environment=environment)

    def test_values_are_not_shown(self):
        assert "hidden" not in repr(options(environment={"A": "hidden"}))
