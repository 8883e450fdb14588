"""``python -m tests.fakes.whatsapp``: a WhatsApp of one's own, for tests and for trying things by hand."""

import argparse
import asyncio
import tempfile
from pathlib import Path

from tests.fakes.whatsapp import server
from tests.fakes.whatsapp.commands import Commands
from tests.fakes.whatsapp.control import Output, obey


async def main(directory: Path, options: argparse.Namespace) -> None:
    output = Output(trace=options.trace)
    fake = await server.start(directory, output.tell, proxy_port=options.proxy_port, seed=options.seed)
    output.tell(
        "listening", proxy=fake.proxy_url, ca_file=str(fake.authority_file), root_key=fake.root_key,
    )  # fmt: skip
    await obey(Commands(fake.network), output)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.whatsapp", description=__doc__)
    parser.add_argument("--directory", type=Path, help="where certificates and media lie (default: one that goes away)")
    parser.add_argument("--proxy-port", type=int, default=0, help="a fixed port for the proxy (default: any free one)")
    parser.add_argument("--seed", type=int, default=0, help="of what is random: receipts dropped and delayed")
    parser.add_argument("--trace", action="store_true", help="every stanza, on standard error")
    return parser.parse_args()


if __name__ == "__main__":
    given = options()
    if given.directory:
        asyncio.run(main(given.directory, given))
    else:
        with tempfile.TemporaryDirectory(prefix="fake-whatsapp-") as made:
            asyncio.run(main(Path(made), given))
