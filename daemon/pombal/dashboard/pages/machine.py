"""The machine room: health, the recorder, who listens, and the supervision tree. For administrators."""

from starlette.responses import Response

from pombal.dashboard.app import Page
from pombal.dashboard.views.machine import actor_lines, commit_chart, nearest_rank
from pombal.dashboard.visit import Visit

ACTORS = 100
PARTS = {"room": "machine", "actors": "actor_rows"}


async def show(visit: Visit) -> Response:
    mark = await visit.mark()
    status = await visit.ask("daemon.status")
    inside = await visit.ask("daemon.internals")
    kind, crashed = visit.query("kind"), visit.query("crashed") is not None
    actors = await visit.ask(
        "daemon.actors", kind=kind, crashed=crashed or None, limit=visit.limit(ACTORS), cursor=visit.query("cursor")
    )
    commits = inside.recorder.commits
    seconds = [commit.seconds for commit in commits]
    return visit.page(
        "machine",
        PARTS,
        mark=mark,
        health=visit.site.health(),
        status=status,
        recorder=inside.recorder,
        subscribers=inside.subscribers,
        chart=commit_chart(commits),
        commit_p50_ms=None if not seconds else (nearest_rank(seconds, 0.5) or 0) * 1000,
        commit_p99_ms=None if not seconds else (nearest_rank(seconds, 0.99) or 0) * 1000,
        changes_p50=nearest_rank([commit.changes for commit in commits], 0.5),
        changes_max=max((commit.changes for commit in commits), default=None),
        actors=actor_lines(actors.results),
        following=actors.next,
        kind=kind,
        crashed=crashed,
        is_tree=kind is None and not crashed,
    )


PAGES = [Page("/machine", show)]
