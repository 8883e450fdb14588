"""A Python client of the HTTP API: `pip install 'pombal[client]'`.

    with Client("http://127.0.0.1:8001", token) as pombal:
        message = pombal.send("5511999999999", "Olá!")
        for event in pombal.events(after=0): ...

    async with AsyncClient("http://127.0.0.1:8001", token) as pombal:
        message = await pombal.send("5511999999999", "Olá!")
        async with pombal.events(after=0) as events:
            async for event in events: ...

Both have the same methods (`calls.py` says which), answer with the same objects and raise ApiError or Unreachable.
"""

try:
    from pombal.http_client.asynchronous import AsyncClient
    from pombal.http_client.blocking import Client
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(f"{error}; the client needs: pip install 'pombal[client]'", name=error.name) from error
from pombal.http_client.errors import ApiError, Unreachable
from pombal.http_client.following import Event

__all__ = ["ApiError", "AsyncClient", "Client", "Event", "Unreachable"]
