"""WhatsApp Web: the daemon's side. Gateways do the talking; this room starts them, watches them and speaks to them."""

from pombal.link.web.links import WebLinks
from pombal.link.web.settings import check_session_settings
from pombal.link.web.side import WebSide

__all__ = ["WebLinks", "WebSide", "check_session_settings"]
