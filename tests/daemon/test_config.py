"""Settings: environment over file over default, every fault at once with its way out, no secret ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon import config
from daemon.config import Config, ConfigError


def faults(environment: dict[str, str], file: Path | None = None) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        config.load(environment, file)
    return {fault.where: fault.message for fault in caught.value.faults}


def loaded(environment: dict[str, str], file: Path | None = None) -> Config:
    return config.load(environment, file)[0]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tandem.toml of whoever runs the tests must not matter."""
    monkeypatch.chdir(tmp_path)


def test_without_anything_the_defaults_hold() -> None:
    assert loaded({}) == Config()
    assert loaded({"TANDEM_LISTEN": ""}) == Config()


def test_environment_wins_over_file_and_file_over_default(tmp_path: Path) -> None:
    file = tmp_path / "some.toml"
    file.write_text('window = 7\nlog_level = "debug"\ndata_dir = "~/x"\n')
    found = loaded({"TANDEM_WINDOW": "9"}, file)
    assert (found.window, found.log_level, found.links_max) == (9, "debug", Config().links_max)
    assert found.data_dir == Path("~/x").expanduser()


def test_the_file_is_found_by_variable_or_in_the_working_folder(tmp_path: Path) -> None:
    (tmp_path / "tandem.toml").write_text("window = 3\n")
    (tmp_path / "other.toml").write_text("window = 4\n")
    assert loaded({}).window == 3
    assert loaded({"TANDEM_CONFIG": str(tmp_path / "other.toml")}).window == 4


def test_all_faults_come_at_once_naming_setting_value_and_way_out(tmp_path: Path) -> None:
    file = tmp_path / "some.toml"
    file.write_text('lissten = "x"\nlinks_max = "many"\n')
    found = faults(
        {
            "TANDEM_LOG_LEVEL": "loud",
            "TANDEM_WINDOW": "0",
            "TANDEM_HTTP_LISTEN": "everywhere",
            "TANDEM_INSECURE_LISTEN": "perhaps",
            "TANDEM_TLS_KEY": str(tmp_path / "nowhere.pem"),
            "TANDEM_DATABASE_URL": "mysql://x",
        },
        file,
    )
    assert "is listen meant?" in found[f"lissten in {file}"]
    assert "'many'" in found[f"links_max in {file}"]
    assert "'loud'" in found["TANDEM_LOG_LEVEL"] and "debug, info" in found["TANDEM_LOG_LEVEL"]
    assert ">= 1" in found["TANDEM_WINDOW"]
    assert "host:port" in found["TANDEM_HTTP_LISTEN"]
    assert "true or false" in found["TANDEM_INSECURE_LISTEN"]
    assert "tls_key is set" in found["TANDEM_TLS_CERT"]
    assert "missing" in found["TANDEM_TLS_KEY"]
    assert "postgresql://" in found["TANDEM_DATABASE_URL"]


def test_a_file_that_is_no_toml_or_not_there_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("= =")
    assert "no TOML" in faults({}, tmp_path / "bad.toml")[str(tmp_path / "bad.toml")]
    assert "can't be read" in faults({}, tmp_path / "none.toml")[str(tmp_path / "none.toml")]


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.0.2.1", "tandem.example"])  # noqa: S104
def test_tokens_do_not_travel_in_the_clear_unasked(host: str) -> None:
    assert "insecure_listen" in faults({"TANDEM_LISTEN": f"{host}:7443"})["TANDEM_LISTEN"]
    assert loaded({"TANDEM_LISTEN": f"{host}:7443", "TANDEM_INSECURE_LISTEN": "true"}).insecure_listen


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "[::1]"])
def test_loopback_needs_no_tls(host: str) -> None:
    assert loaded({"TANDEM_LISTEN": f"{host}:0"}).listen == f"{host}:0"


@pytest.mark.parametrize("text", ["", "host", ":1", "h:x", "h:70000", "h:-1", "h:"])
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"host:port|port is a number"):
        config.address(text)


def test_a_misspelt_variable_is_noted_and_foreign_ones_are_left_alone() -> None:
    _, notes = config.load(
        {"TANDEM_LISTN": "x", "TANDEM_ADDRESS": "y", "TANDEM_SERVICE_HOST": "10.0.0.1", "PATH": "/bin"}
    )
    assert notes == ("TANDEM_LISTN is no setting; is TANDEM_LISTEN meant?",)


def test_secrets_are_never_shown_not_even_in_faults() -> None:
    secret = "s3cr3t-value"
    found = loaded({"TANDEM_SECRET_KEY": secret, "TANDEM_DATABASE_URL": f"postgresql://u:{secret}@h/d"})
    assert secret not in str(config.shown(found))
    assert config.shown(found)["database_url"] == "(set)"
    assert secret not in str(faults({"TANDEM_DATABASE_URL": f"mysql://u:{secret}@h/d"}))


def test_every_setting_has_a_meaning_a_variable_and_a_kind() -> None:
    about = {one.name: one for one in config.settings()}
    assert list(about) == list(Config.__struct_fields__)
    assert all(one.doc.endswith(".") or one.doc.endswith("seconds.") for one in about.values())
    assert about["log_format"].kind == "console|json"
    assert about["listen"].default == "127.0.0.1:7443"
    assert about["data_dir"].variable == "TANDEM_DATA_DIR"
