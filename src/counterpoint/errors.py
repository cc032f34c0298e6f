"""The exception tree: who is at fault decides the branch.

    CounterpointError
    ├── UserInputError            what the caller gave us: a file, a name, a shape, an option
    │   ├── ModelFileError        the network's file
    │   ├── PlanFileError         the plan's file, or a plan of another network or machine
    │   ├── PlatformFileError     the platform's file, or one that does not fit the network
    │   ├── ResultFileError       a bench result's file, or one of another machine or other settings
    │   └── FrameError            an image, a tensor, or preprocessing
    ├── MachineError              this machine: disk, memory, a store that is locked
    │   └── StoreError            the measurement store
    ├── EngineError               an engine refused or failed; its own exception is the cause
    │   └── NoUnitLeftError       everything that could go on has failed
    └── InternalError             our own bug; please report it

Infeasible plans, time limits and "this unit cannot run this layer" are results, not exceptions.
Every message is one line that names the thing and the way out.
"""

from __future__ import annotations


class CounterpointError(Exception):
    """Base of every error that Counterpoint raises on purpose.

    Attributes:
        exit_code: Exit status of the command line when this error ends it.
    """

    exit_code = 1


class UserInputError(CounterpointError):
    """The caller's input cannot be used."""

    exit_code = 2


class ModelFileError(UserInputError):
    """The network's file is broken, unsafe, or uses what nobody here can run."""


class PlanFileError(UserInputError):
    """The plan's file is broken, newer than this version, or belongs elsewhere."""


class PlatformFileError(UserInputError):
    """The platform's file is broken, contradicts itself, or does not fit the network."""


class ResultFileError(UserInputError):
    """The file of a bench's result is broken, newer than this version, or belongs elsewhere."""


class FrameError(UserInputError):
    """An input frame (image or tensor) or its preprocessing does not fit the network."""


class MachineError(CounterpointError):
    """This machine cannot do it now: disk, memory, permissions."""

    exit_code = 3


class StoreError(MachineError):
    """The measurement store is locked, corrupt, or cannot be written."""


class EngineError(CounterpointError):
    """An engine refused or failed.

    Args:
        message: One line: what failed and the way out.
        layer: Name of the layer (or of the segment's first layer), when known.
        unit: Name of the compute unit, when known.
    """

    exit_code = 4

    def __init__(self, message: str, *, layer: str | None = None, unit: str | None = None) -> None:
        super().__init__(message)
        self.layer = layer
        self.unit = unit


class NoUnitLeftError(EngineError):
    """Units failed one after the other, and those that are left cannot run the network."""


class InternalError(CounterpointError):
    """A broken invariant of Counterpoint itself."""

    exit_code = 70
