"""Former databases are told of in an erasure's receipt, and left alone."""

from pathlib import Path

from pombal.app.set_aside import SetAside
from pombal.model.person import Person
from pombal.model.person_sides import Belongings


async def test_each_former_database_is_named(tmp_path: Path) -> None:
    former = tmp_path / "replaced" / "20261122T092211.402913Z"
    side, nobody = SetAside(tmp_path / "replaced"), Person(frozenset({"5511987654321"}))
    assert (await side.erase(nobody, Belongings())).not_reached == []
    former.mkdir(parents=True)
    (former / "pombal.db").write_bytes(b"everybody's messages")
    report = await side.erase(await side.also_called(nobody), Belongings())
    assert (report.removed, report.not_reached) == (
        0, [f"the former database in {former}, put aside by a restore: remove it"]
    )  # fmt: skip
    assert (former / "pombal.db").exists()
