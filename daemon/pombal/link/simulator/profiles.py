"""Which settings an account behaves by: the session's own, and for the rest the daemon's `[simulator]`."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from pombal.config.settings import SimulatorProfile, SimulatorSessionSettings, SimulatorSettings
from pombal.model.errors import PombalError, invalid

_PROFILE_KEYS = frozenset(SimulatorProfile.model_fields)
_CACHED_MAX = 1024


def validate_settings(settings: Mapping[str, Any]) -> SimulatorSessionSettings:
    """A session's own settings on the simulator. Raises PombalError (invalid) with the key and the reason."""
    try:
        return SimulatorSessionSettings.model_validate(dict(settings))
    except ValidationError as error:
        raise _refusal(error) from None


def _refusal(error: ValidationError) -> PombalError:
    # Of a delay that is neither a number nor a lognormal, the last error is the one about its own shape.
    last = error.errors(include_url=False, include_input=False)[-1]
    key = str(last["loc"][0])[:80]
    if last["type"] == "extra_forbidden" and len(last["loc"]) == 1:
        known = ", ".join(sorted(SimulatorSessionSettings.model_fields))
        return invalid(f"settings.{key}: unknown to the simulator; it knows {known}", key=key)
    if last["type"] in {"model_type", "model_attributes_type"}:
        return invalid(f"settings.{key}: a number of milliseconds, or {{median, p99}} of a lognormal", key=key)
    part = (
        f".{str(last['loc'][-1])[:80]}"
        if len(last["loc"]) > 1 and last["type"] in {"missing", "extra_forbidden"}
        else ""
    )
    return invalid(f"settings.{key}{part}: {last['msg']}", key=key)


class Profiles:
    """Accounts with the same settings share one profile: ten thousand copies would be the bulk of their memory."""

    def __init__(self, settings: SimulatorSettings) -> None:
        self._defaults = {key: getattr(settings, key) for key in _PROFILE_KEYS}
        self.default = SimulatorProfile.model_validate(self._defaults)
        self._cached: dict[str, SimulatorProfile] = {}

    def of(self, own: Mapping[str, Any]) -> SimulatorProfile:
        """The profile for a session's own settings. Raises PombalError (invalid)."""
        if not own:
            return self.default
        key = json.dumps(dict(own), sort_keys=True)
        if key not in self._cached:
            if len(self._cached) >= _CACHED_MAX:
                self._cached.clear()
            self._cached[key] = self._merge(validate_settings(own))
        return self._cached[key]

    def _merge(self, own: SimulatorSessionSettings) -> SimulatorProfile:
        said = {key: getattr(own, key) for key in own.model_fields_set & _PROFILE_KEYS}
        return SimulatorProfile.model_validate(self._defaults | said)
