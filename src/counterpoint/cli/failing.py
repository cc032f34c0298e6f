"""What ``run`` does when a unit fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypedDict

from typer import Option

from counterpoint.cli.output import say
from counterpoint.errors import UserInputError

if TYPE_CHECKING:
    from counterpoint.schedule.recovery import Report
    from counterpoint.schedule.trace import Incident
    from counterpoint.schedule.watchdog import HangLimits


class FailureSettings(TypedDict):
    """Arguments of :class:`counterpoint.api.Session`."""

    allow_fallback: bool
    spot_check: float | None
    hang_limits: HangLimits | None
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureOptions:
    """What happens when a unit fails, and who looks for it."""

    allow_fallback: Annotated[
        bool,
        Option(
            "--allow-fallback",
            help="Go on without units that fail, by another plan, and warn. Default: an error.",
        ),
    ] = False
    hang_limit_s: Annotated[
        float | None,
        Option(
            "--hang-limit",
            metavar="SECONDS",
            help="With --allow-fallback: no segment counts as hung before (default 10), nor before "
            "50 times its predicted time.",
        ),
    ] = None
    spot_check: Annotated[
        float | None,
        Option(
            "--spot-check",
            metavar="RATE",
            help="Compute this part of the frames (0.01) on other units, too, and compare.",
        ),
    ] = None

    def settings(self) -> FailureSettings:
        """For a session.

        Raises:
            UserInputError: An option does not fit.
        """
        from counterpoint.schedule.spot_check import SpotCheck
        from counterpoint.schedule.watchdog import HangLimits

        limits = None
        if self.hang_limit_s is not None:
            if not self.allow_fallback:
                raise UserInputError("--hang-limit needs --allow-fallback: nobody looks otherwise")
            if not 0 < self.hang_limit_s < 1e9:
                raise UserInputError(f"--hang-limit {self.hang_limit_s:g}: give seconds, above 0")
            limit_ns = max(1, round(self.hang_limit_s * 1e9))
            limits = HangLimits(floor_ns=limit_ns, unknown_ns=limit_ns)
        if self.spot_check is not None:
            SpotCheck(self.spot_check)  # raises where it is out of range
        return {
            "allow_fallback": self.allow_fallback,
            "spot_check": self.spot_check,
            "hang_limits": limits,
            "report": warn,
        }


def warn(incident: Incident) -> None:
    """A line on standard error, at once."""
    say(f"warning: {incident.message}")
