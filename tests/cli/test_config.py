"""`pombal config`."""

from pathlib import Path

import tomli

from pombal.config.settings import Settings
from tests.cli.commands import Runner


def write(tmp_path: Path, text: str) -> str:
    file = tmp_path / "some.toml"
    file.write_text(text)
    return str(file)


def test_check_tells_every_problem_with_2(run: Runner, tmp_path: Path) -> None:
    file = write(tmp_path, '[daemon]\ndrain_s = "long"\n\n[nonsense]\n')
    outcome = run("config", "check", file)
    assert (outcome.code, outcome.out) == (2, "")
    assert "daemon.drain_s" in outcome.err
    assert "nonsense" in outcome.err


def test_check_of_a_good_file_and_of_none(run: Runner, tmp_path: Path) -> None:
    assert run("config", "check").out == "no configuration file: the built-in defaults hold\n"
    file = write(tmp_path, "[daemon]\ndrain_s = 5.0\n")
    outcome = run("config", "check", file)
    assert (outcome.code, outcome.out) == (0, f"{file}: no problems\n")


def test_check_refuses_a_socket_path_too_long(run: Runner, tmp_path: Path) -> None:
    file = write(tmp_path, f'[daemon]\nruntime_dir = "/{"x" * 120}"\n')
    outcome = run("config", "check", file)
    assert outcome.code == 2
    assert "a Unix socket's may have at most" in outcome.err


def test_show_can_be_read_as_a_configuration_again(run: Runner, tmp_path: Path) -> None:
    file = write(
        tmp_path, '[daemon]\nstate_dir = "/srv/çã \\"x\\""\n[simulator]\nsent_ms = { median = 3.0, p99 = 9.0 }\n'
    )
    out = run("config", "show", file).out
    assert Settings.model_validate(tomli.loads(out)) == Settings.model_validate(tomli.loads(Path(file).read_text()))
    assert "sent_ms = { median = 3.0, p99 = 9.0 }  # default: 20" in out
    assert '# database: /srv/çã "x"/pombal.db' in out


def test_show_of_the_defaults(run: Runner) -> None:
    out = run("config", "show").out
    assert "# default:" not in out
    assert Settings.model_validate(tomli.loads(out)) == Settings()


def test_show_json(run: Runner, tmp_path: Path) -> None:
    file = write(tmp_path, '[daemon]\nstate_dir = "/srv/pombal"\n')
    shown = run("config", "show", file, "--json").json
    assert shown["file"] == file
    assert shown["set_by_file"] == ["daemon.state_dir"]
    assert shown["settings"] == Settings().model_dump(mode="json") | {
        "daemon": shown["settings"]["daemon"] | {"state_dir": "/srv/pombal"}
    }
    assert shown["paths"]["control_socket"] == "/srv/pombal/run/control.sock"
