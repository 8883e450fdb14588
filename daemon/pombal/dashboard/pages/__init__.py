"""Each page of the dashboard: what it asks the daemon, and what it does for a form."""

from pombal.dashboard.app import Page
from pombal.dashboard.pages import (
    chats,
    latency,
    linking,
    machine,
    media,
    messages,
    preferences,
    session,
    session_actions,
    sessions,
    sign_in,
    static,
)


def all_pages() -> list[Page]:
    modules = (
        static, sign_in, preferences, sessions, session, session_actions, linking, chats, messages, media, latency,
        machine,
    )  # fmt: skip
    return [page for module in modules for page in module.PAGES]
