"""WhatsApp Web: the daemon's side. Gateways do the talking; this room starts them, watches them and speaks to them."""

from pombal.link.web.links import WebLinks
from pombal.link.web.settings import check_session_settings

__all__ = ["WebLinks", "check_session_settings"]
