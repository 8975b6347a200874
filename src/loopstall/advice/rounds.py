"""Rounds of a measurement, each way once a round, without the rounds that the machine disturbed."""

from collections.abc import Mapping, Sequence

from loopstall.records import Measured, Noise
from loopstall.runner.noise import disturbed

__all__ = ["Rounds"]


class Rounds:
    """The runs of interleaved rounds, without the rounds that the machine disturbed."""

    def __init__(self, names: Sequence[str], missing: Mapping[str, str]) -> None:
        self.names = list(names)
        self.missing = dict(missing)
        self.runs: dict[str, list[Measured]] = {name: [] for name in names}
        self.noises: list[Noise] = []
        self.quiet = 0

    def fail(self, name: str, why: str) -> None:
        """Leaves a way out from now on."""
        self.names = [other for other in self.names if other != name]
        self.missing[name] = why
        self.runs.pop(name)

    def add(self, measured: Mapping[str, Measured]) -> None:
        """Takes a round in, unless one of its runs was disturbed: ways are compared within rounds."""
        noisy = [run.noise for run in measured.values() if run.noise is not None and disturbed(run.noise)]
        if noisy:
            self.noises.append(max(noisy, key=lambda noise: noise.delay_share))
            return
        self.quiet += 1
        for name, run in measured.items():
            if name in self.runs:
                self.runs[name].append(run)
