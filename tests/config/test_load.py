"""Reading the configuration: which file, and what is said of a wrong one."""

from pathlib import Path

import pytest

from pombal.config.errors import ConfigError
from pombal.config.load import MAX_BYTES, find_config, load, load_config, parse
from pombal.config.settings import Lognormal, Settings
from pombal.model.session import LinkKind

FILE = Path("/etc/pombal/config.toml")


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        parse(text, FILE)
    assert all(line.startswith(f"{FILE}: ") for line in str(caught.value).splitlines())
    return caught.value.problems


class TestFinding:
    @pytest.fixture(autouse=True)
    def _places(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("pombal.config.load.PLACES", (Path("config.toml"), tmp_path / "etc/config.toml"))

    def test_the_argument_comes_first(self, tmp_path: Path) -> None:
        (tmp_path / "config.toml").touch()
        assert find_config("given.toml", {"POMBAL_CONFIG": "other.toml"}) == Path("given.toml")

    def test_then_the_environment(self, tmp_path: Path) -> None:
        (tmp_path / "config.toml").touch()
        assert find_config(None, {"POMBAL_CONFIG": "other.toml"}) == Path("other.toml")

    def test_then_the_working_directory(self, tmp_path: Path) -> None:
        (tmp_path / "etc").mkdir()
        (tmp_path / "etc/config.toml").touch()
        (tmp_path / "config.toml").touch()
        assert find_config(None, {"POMBAL_CONFIG": ""}) == tmp_path / "config.toml"

    def test_then_the_system(self, tmp_path: Path) -> None:
        (tmp_path / "etc").mkdir()
        (tmp_path / "etc/config.toml").touch()
        assert find_config(None, {}) == tmp_path / "etc/config.toml"

    def test_then_the_defaults(self) -> None:
        loaded = load_config(None, {})
        assert loaded.path is None
        assert loaded.settings == Settings()

    def test_a_file_that_is_there_and_leads_nowhere_is_not_passed_over(self, tmp_path: Path) -> None:
        (tmp_path / "config.toml").symlink_to("gone.toml")
        with pytest.raises(ConfigError, match=r"config\.toml: cannot be read: No such file"):
            load_config(None, {})


def test_values_of_a_file_replace_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "pombal.toml"
    path.write_text(
        '[outbox]\nwindow = 7\n[sessions]\ndefault_link = "simulator"\n'
        "[simulator]\nsent_ms = { median = 20, p99 = 400 }\n[link]\nstable_s = 5\n"
    )
    settings = load(path)
    assert settings.outbox.window == 7
    assert settings.sessions.default_link is LinkKind.SIMULATOR
    assert settings.simulator.sent_ms == Lognormal(median=20, p99=400)
    assert settings.link.stable_s == 5
    assert settings.recorder == Settings().recorder


def test_an_empty_file_means_the_defaults() -> None:
    assert parse("", FILE) == Settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[outbox]\nwidow = 3", "outbox.widow: unknown key; did you mean outbox.window?"),
        ("[outbox]\nack-timeout-s = 3", "outbox.ack-timeout-s: unknown key; did you mean outbox.ack_timeout_s?"),
        ("[log]\nwindow = 3", "log.window: unknown key; did you mean outbox.window?"),
        ("window = 3", "window: unknown section or key; did you mean outbox.window?"),
        ("[outbx]\nwindow = 3", "outbx: unknown section or key; did you mean [outbox]?"),
        ("[outbox]\nqqqqqq = 3", "outbox.qqqqqq: unknown key"),
        (
            "[simulator]\nsent_ms = { median = 1, p99 = 2, p9 = 3 }",
            "simulator.sent_ms.p9: unknown key; did you mean simulator.sent_ms.p99?",
        ),
        ("[simulator]\nsent_ms = { median = 1 }", "simulator.sent_ms.p99: is missing"),
        (
            "[simulator]\nsent_ms = { median = 2, p99 = 1 }",
            "simulator.sent_ms: median must be above 0 and not above p99",
        ),
        (
            '[simulator]\nsent_ms = "fast"',
            'simulator.sent_ms: must be a number, or { median = …, p99 = … }, not "fast"',
        ),
        ("[simulator]\nsent_ms = -1", "simulator.sent_ms: must be at least 0, not -1"),
        ("[outbox]\nwindow = 0", "outbox.window: must be at least 1, not 0"),
        ('[outbox]\nwindow = "32"', 'outbox.window: must be a whole number, not "32"'),
        ("[outbox]\nwindow = 1.5", "outbox.window: must be a whole number, not 1.5"),
        ("[outbox]\nwindow = true", "outbox.window: must be a whole number, not true"),
        ("[outbox]\nack_timeout_s = nan", "outbox.ack_timeout_s: must be at most 31536000, not NaN"),
        ("[http]\nenabled = 1", "http.enabled: must be true or false, not 1"),
        ("[daemon]\nstate_dir = 3", "daemon.state_dir: must be a text in quotes, not 3"),
        ('[log]\nlevel = "loud"', "log.level: must be 'debug', 'info', 'warning' or 'error', not \"loud\""),
        (
            '[sessions]\ndefault_link = "webb"',
            "sessions.default_link: must be 'simulator', 'web' or 'cloud', not \"webb\"",
        ),
        (
            "[link]\nreconnect_min_s = 9\nreconnect_max_s = 3",
            "link: reconnect_min_s must not be above reconnect_max_s",
        ),
        (
            "[sessions]\nrestart_backoff_min_s = 31",
            "sessions: restart_backoff_min_s must not be above restart_backoff_max_s",
        ),
        ('[http]\nbind = "8001"', 'http.bind: must be address:port, [IPv6 address]:port or fd://N, not "8001"'),
        ('[http]\nbind = "0.0.0.0:70000"', 'http.bind: must have a port of at most 65535, not "0.0.0.0:70000"'),
        ("outbox = 3", "outbox: must be a table: write [outbox], and its keys below it"),
        ("[daemon]\nstate_dir = 2026-01-31", 'daemon.state_dir: must be a text in quotes, not "2026-01-31"'),
    ],
)
def test_a_wrong_file_is_told_by_key_and_reason(text: str, said: str) -> None:
    assert problems(text) == (said,)


def test_all_problems_are_told_at_once() -> None:
    said = problems('[outbox]\nwindow = 0\nbrust = 1\n[log]\nlevel = "loud"\n[nonsense]\na = 1')
    assert [problem.partition(":")[0] for problem in said] == ["log.level", "nonsense", "outbox.brust", "outbox.window"]


def test_a_long_value_is_cut_short() -> None:
    (said,) = problems(f'[log]\nlevel = "{"x" * 500}"')
    assert len(said) < 150


class TestUnreadable:
    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read: No such file or directory"):
            load_config(str(tmp_path / "nowhere.toml"), {})

    def test_a_directory(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
            load(tmp_path)

    def test_not_utf8(self, tmp_path: Path) -> None:
        path = tmp_path / "config.toml"
        path.write_bytes(b'[log]\nlevel = "info"\n# caf\xe9\n')
        with pytest.raises(ConfigError, match=r"line 3: not UTF-8 \(byte 0xe9\)"):
            load(path)

    def test_a_byte_order_mark_is_no_fault(self, tmp_path: Path) -> None:
        path = tmp_path / "config.toml"
        path.write_bytes(b"\xef\xbb\xbf[outbox]\nwindow = 3\n")
        assert load(path).outbox.window == 3

    def test_endless(self) -> None:
        with pytest.raises(ConfigError, match=f"longer than {MAX_BYTES} bytes"):
            load(Path("/dev/zero"))

    def test_bad_syntax_is_told_with_its_line(self) -> None:
        (said,) = problems("[log]\nlevel = = 3\n")
        assert said.startswith("line 2, column 9: ")

    @pytest.mark.parametrize("value", ["[" * 5000, "9" * 5000])
    def test_toml_without_end(self, value: str) -> None:
        (said,) = problems(f"a = {value}")
        assert said.startswith("not usable TOML: ")
