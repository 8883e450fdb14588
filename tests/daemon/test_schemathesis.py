"""What the schema says is what happens: schemathesis over the whole of it, with a good token and with a bad one.

No answer of 5xx, none that is not documented or breaks its schema, and nothing accepted that the schema forbids.
"""

import sys

import trio

from tests.daemon.harness import Home, until_status

TIMEOUT_S = 280.0
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,unsupported_method,allow_header_conformance,"
    "ignored_auth"
)
# Events as a stream have no end.
CONFIGURATION = """
[phases.coverage]
unexpected-methods = ["PUT"]
"""
# No test reaches for the real WhatsApp.
HOOKS = """
import schemathesis

@schemathesis.hook
def before_call(context, case, kwargs):
    if isinstance(case.body, dict) and case.body.get("link") in ("web", "cloud"):
        case.body["link"] = "simulator"
"""


async def schemathesis(home: Home, url: str, token: str, *words: str) -> None:
    """Run it to its end; it must find nothing."""
    (home.root / "schemathesis.toml").write_text(CONFIGURATION)
    (home.root / "hooks.py").write_text(HOOKS)
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run", f"{url}/api/v1/schema/",
        "--header", f"Authorization: Bearer {token}", "--generation-deterministic", "--no-color",
        "--exclude-path-regex", "/stream", *words,
    ]  # fmt: skip
    with trio.fail_after(TIMEOUT_S):
        done = await trio.run_process(
            command, capture_stdout=True, capture_stderr=True, check=False, cwd=home.root,
            env={"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(home.root), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()


async def token(home: Home) -> str:
    made: str = (await home.command("token", "create", "--owner", "ana", "--json")).json["token"]
    return made


async def test_with_a_good_token(home: Home) -> None:
    async with home.daemon() as daemon, daemon.client() as client:
        await client.session_create("ana", owner="ana")
        await until_status(client, "ana", "ready")
        words = ("--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--max-examples", "4")
        await schemathesis(home, daemon.url, await token(home), *words)
        assert (await client.daemon_status()).version
        await daemon.stop()
        assert [entry for entry in daemon.log if entry["level"] == "error"] == []


async def test_with_a_bad_one(home: Home) -> None:
    async with home.daemon() as daemon, daemon.client() as client:
        words = ("--checks", CHECKS, "--phases", "examples,fuzzing", "--max-examples", "2")
        await schemathesis(home, daemon.url, await token(home) + "x", *words)
        assert (await client.session_list()).results == []
        assert [entry for entry in daemon.log if entry["level"] == "error"] == []
