"""TLS as an operator has it: set by two files, renewed by a reload, refused where they do not fit."""

import signal
import ssl

import httpx2
import trio

from tests.api import certificates
from tests.daemon.harness import WAIT_S, Home, Running, merged


def home_with_tls(home: Home, files: certificates.Files) -> None:
    tls = {"tls_certificate": str(files.certificate), "tls_key": str(files.key)}
    home.configure(merged({"http": {"bind": "127.0.0.1:0"}}, {"http": tls}))


async def offered(daemon: Running) -> str:
    """The certificate (PEM) that a new connection is offered."""
    host, _, port = daemon.url.removeprefix("https://").rpartition(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    stream = await trio.open_ssl_over_tcp_stream(host, int(port), ssl_context=context, https_compatible=True)
    await stream.do_handshake()
    certificate = stream.getpeercert(binary_form=True)
    await trio.aclose_forcefully(stream)
    return ssl.DER_cert_to_PEM_cert(certificate)


async def test_a_certificate_is_offered_and_renewed_by_a_reload(home: Home) -> None:
    files = certificates.make(home.root, "first")
    home_with_tls(home, files)
    async with home.daemon() as daemon:
        assert daemon.url.startswith("https://")
        async with httpx2.AsyncClient(
            verify=ssl.create_default_context(cafile=files.certificate), timeout=WAIT_S
        ) as http:
            assert (await http.get(f"{daemon.url}/api/v1/health/")).json()["status"] == "ok"
        first = await offered(daemon)
        assert first == files.certificate.read_text()

        files.key.write_text("none")
        daemon.signal(signal.SIGHUP)
        with trio.fail_after(WAIT_S):
            while "reload refused" not in daemon.output:  # noqa: ASYNC110
                await trio.sleep(0.01)
        assert "tls_certificate" in daemon.output
        assert await offered(daemon) == first

        certificates.make(home.root, "second")
        daemon.signal(signal.SIGHUP)
        with trio.fail_after(WAIT_S):
            while not daemon.logged("configuration reloaded"):  # noqa: ASYNC110
                await trio.sleep(0.01)
        assert await offered(daemon) == files.certificate.read_text() != first
        await daemon.stop()


async def test_files_that_do_not_fit_are_no_start(home: Home) -> None:
    files = certificates.make(home.root, "first")
    home_with_tls(home, files)
    files.key.unlink()
    async with home.process() as daemon:
        assert await daemon.ended() == 1
        assert "cannot use the certificate" in daemon.output
        assert "Traceback" not in daemon.output
    home.configure({"http": {"bind": "127.0.0.1:0", "tls_key": str(files.key)}})
    async with home.process() as daemon:
        assert await daemon.ended() == 2
        assert "tls_certificate and tls_key go together" in daemon.output
