"""The schema, as migrations: what is applied is written down in the database, and never edited here afterwards.

Each stands in the file of its concept. Here is the order in which they came, and are applied. Every table is STRICT: a
wrong type is refused by the database itself and ends up in `rejected`, not in a report.
"""

from sqlite_utils import Migrations

from pombal.store.migrations import audit, chats, events, latency, messages, search, sessions

migrations = Migrations("pombal")

for migration in (
    sessions.m0001_sessions,
    messages.m0002_messages,
    search.m0003_search,
    events.m0004_events,
    latency.m0005_latency,
    events.m0006_media_and_rejected,
    chats.m0007_chats,
    chats.m0008_contacts,
    sessions.m0009_earlier_totals,
    messages.m0010_media_of_messages,
    messages.m0011_zones,
    latency.m0012_weeks,
    search.m0013_vocabulary,
    audit.m0015_audit_and_erasures,
    sessions.m0016_earlier_failed,
    latency.m0017_rollups_of_owners,
    events.m0018_rare_events,
    messages.m0019_kinds,
    latency.m0020_recent_latencies,
    latency.m0021_versions_of_rollups,
    search.m0022_fewer_segments,
):
    migrations()(migration)

SCHEMA_VERSION = len(migrations._migrations)
"""How many migrations this program knows; a database with one that it does not know is newer than the program."""
