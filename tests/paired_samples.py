"""Cells of a gate whose pairs all say the same, so that every figure of their verdict is known."""

from dataclasses import replace

from helpers import cell, pair

from loopstall.gate.evidence import PairedSample


def alike(head=100.0, count=8, *, where=None, **stalls):
    """A cell whose bursts take 100 ms at the baseline and so many at the candidate, in so many pairs."""
    where = where or cell()
    return PairedSample(
        cell=where, pairs=tuple(pair(where, index=index, head=(head,) * 4, **stalls) for index in range(count))
    )


def joined(*samples):
    """One cell with the pairs of several, one after the other."""
    return replace(samples[0], pairs=tuple(one for sample in samples for one in sample.pairs))


def untimed(sample):
    """The cell without the bursts of its pairs, of which no time per job is known."""

    def bare(run):
        return replace(run, measured=replace(run.measured, bursts=()))

    return replace(sample, pairs=tuple(replace(one, base=bare(one.base), head=bare(one.head)) for one in sample.pairs))


def computing_alike(sample):
    """The cell with one CPU time in every burst, so that its time alone differs."""

    def with_one(run):
        bursts = tuple(replace(burst, cpu_ns=1_000_000) for burst in run.measured.bursts)
        return replace(run, measured=replace(run.measured, bursts=bursts))

    pairs = tuple(replace(one, base=with_one(one.base), head=with_one(one.head)) for one in sample.pairs)
    return replace(sample, pairs=pairs)
