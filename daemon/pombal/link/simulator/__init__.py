"""A WhatsApp network in the daemon's own process: accounts, people who write, phones that scan, and every fault.

Deterministic for a seed: the same seed, the same calls and the same times make the same network.
"""

from pombal.link.simulator.network import SimulatedNetwork
from pombal.link.simulator.profiles import validate_settings
from pombal.link.simulator.side import LeftBehindSide, SimulatorSide

__all__ = ["LeftBehindSide", "SimulatedNetwork", "SimulatorSide", "validate_settings"]
