"""What can go wrong with HTCondor; each has the exit code of ``gwbroker condor``."""

from __future__ import annotations

from pathlib import Path

from gwbroker.errors import GWBrokerError


class CondorError(GWBrokerError):
    """HTCondor refused, or would be asked for something that makes no sense."""

    exit_code = 1


class DescriptionError(CondorError):
    """A submit description cannot be used; names the file and the line's key."""

    exit_code = 2

    def __init__(self, file: Path, key: str, problem: str) -> None:
        super().__init__(f"{file}: {key}: {problem}")
        self.file = file
        self.key = key
        self.problem = problem


class SecretExposed(CondorError):
    """A secret in the environment would be readable by everybody who may run condor_q."""

    exit_code = 2

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(
            f"{', '.join(names)}: a job's environment can be read by everybody who may run"
            " condor_q. Write the value into the file that GWBROKER_CONFIG names (chmod 600),"
            " and unset the variable"
        )
        self.names = names


class NoDeployment(CondorError):
    """Nothing of this home is in HTCondor's queue."""

    exit_code = 3


class CondorUnavailable(CondorError):
    """HTCondor is not installed here, or its access point does not answer."""

    exit_code = 4
