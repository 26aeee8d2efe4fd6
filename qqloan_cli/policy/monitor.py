"""configs/monitor.toml: limits in amber and red, what each means and what to do, and who is told."""

from __future__ import annotations

from qqloan_cli.policy.products import Strict


class Monitoring(Strict):
    """To come."""
