"""systemd's credentials stand in for files that the configuration does not name."""

from pathlib import Path

import pytest

from pombal.config.credentials import CREDENTIALS
from pombal.config.errors import ConfigError
from pombal.config.keys import by_key
from pombal.config.load import load_config
from pombal.config.settings import Settings


@pytest.fixture
def handed(tmp_path: Path) -> dict[str, str]:
    """Every credential there is, in an environment as systemd makes it."""
    for name in CREDENTIALS:
        (tmp_path / name).touch(0o400)
    return {"CREDENTIALS_DIRECTORY": str(tmp_path)}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    return tmp_path / "config" / "config.toml"


@pytest.mark.parametrize("text", ["", "[auth]\nleeway_s = 1.0\n[http]\nheartbeat_s = 10.0\n"])
def test_they_fill_what_is_unset(handed: dict[str, str], config: Path, text: str) -> None:
    config.write_text(text)
    loaded = load_config(str(config), handed)
    settings = by_key(loaded.settings)
    for name, key in CREDENTIALS.items():
        assert settings[key] == str(Path(handed["CREDENTIALS_DIRECTORY"]) / name)
    assert loaded.from_credentials == set(CREDENTIALS.values())


def test_what_the_file_says_comes_first(handed: dict[str, str], config: Path) -> None:
    config.write_text('[auth]\nsecret_file = "/etc/pombal/secret"\n')
    loaded = load_config(str(config), handed)
    assert loaded.settings.auth.secret_file == "/etc/pombal/secret"
    assert "auth.secret_file" not in loaded.from_credentials


def test_a_certificate_by_its_file_and_its_key_by_a_credential(handed: dict[str, str], config: Path) -> None:
    (Path(handed["CREDENTIALS_DIRECTORY"]) / "tls-certificate").unlink()
    config.write_text('[http]\nbind = "0.0.0.0:443"\ntls_certificate = "/etc/ssl/certs/pombal.pem"\n')
    assert load_config(str(config), handed).settings.http.tls_key == f"{handed['CREDENTIALS_DIRECTORY']}/tls-key"


def test_without_any_the_file_alone_holds(tmp_path: Path, config: Path) -> None:
    config.write_text("")
    for environ in ({}, {"CREDENTIALS_DIRECTORY": str(tmp_path / "none")}):
        assert load_config(str(config), environ).settings == Settings()


def test_a_file_with_a_mistake_is_still_told(handed: dict[str, str], config: Path) -> None:
    config.write_text("auth = 3\n")
    with pytest.raises(ConfigError, match="auth: "):
        load_config(str(config), handed)
