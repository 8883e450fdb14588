"""What all pages share: the service, the tokens, the templates, the words and the files."""

from collections.abc import Callable
from dataclasses import dataclass, field

from jinja2 import Environment, PackageLoader, StrictUndefined

from pombal.auth.tokens import Tokens
from pombal.config.reload import LiveSettings
from pombal.dashboard.assets import Assets, load_assets
from pombal.model.clock import Clock
from pombal.model.health import Health
from pombal.service.base import Service


def environment() -> Environment:
    """Everything that is put into a page is text, whatever the template's name; a name that is not there is a bug."""
    return Environment(
        loader=PackageLoader("pombal.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@dataclass(frozen=True, slots=True)
class Site:
    """health answers from memory, at once."""

    service: Service
    tokens: Tokens
    live: LiveSettings
    health: Callable[[], Health]
    clock: Clock
    templates: Environment = field(default_factory=environment)
    assets: Assets = field(default_factory=load_assets)
