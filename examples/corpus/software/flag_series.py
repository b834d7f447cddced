"""Assign HCS-12 quality flags to a time series.

Part of Tidemark. Maintainer: Erika Dahlstrand.

The order of the tests matters: a value that is missing is never stuck, and a
value above the range of the instrument is never a spike. Each test may only
raise the flag of a value, except that flag 5 (corrected) is final and is set
by the re-timing step, not here.
"""

from dataclasses import dataclass

GOOD, PROBABLY_BAD, ABOVE_RANGE, MISSING = 1, 3, 7, 9

# HCS-12 section 3. HCS-4 counted twelve values instead, which was three hours
# when the Kittiwakes sampled every 15 minutes and became one hour when the
# interval went down to 5 minutes on 1 July 2013.
STUCK_MINUTES = 60

# HCS-12 section 4. The three hours of HCS-4 invented whole tides.
MAX_GAP_MINUTES = 30


@dataclass
class Sample:
    """One value of a series: minutes since its start, value, flag."""

    minute: int
    value: float | None
    flag: int = 0


def flag_missing(samples):
    """Give flag 9 to samples without a value."""
    for sample in samples:
        if sample.value is None:
            sample.flag = MISSING


def flag_range(samples, upper):
    """Give flag 7 to values above the range of the instrument.

    The upper limit is 400 NTU for a Kittiwake K1, 1,000 for a K2 and 4,000
    for a K3.
    """
    for sample in samples:
        if sample.value is not None and sample.value > upper:
            sample.flag = ABOVE_RANGE


def flag_stuck(samples):
    """Give flag 3 to runs of equal values longer than STUCK_MINUTES."""
    start = 0
    for i in range(1, len(samples) + 1):
        ended = i == len(samples) or samples[i].value != samples[start].value
        if not ended:
            continue
        run = samples[start:i]
        if run[-1].minute - run[0].minute > STUCK_MINUTES:
            for sample in run:
                if sample.flag == 0:
                    sample.flag = PROBABLY_BAD
        start = i


def may_interpolate(before, after):
    """Say whether the gap between two good samples may be filled."""
    return after.minute - before.minute <= MAX_GAP_MINUTES


def flag_series(samples, upper, standard):
    """Run all tests. Refuse a series that does not name HCS-12."""
    if standard != "HCS-12":
        raise ValueError(f"series names the standard {standard!r}; convert it to HCS-12 first")
    flag_missing(samples)
    flag_range(samples, upper)
    flag_stuck(samples)
    for sample in samples:
        if sample.flag == 0:
            sample.flag = GOOD
    return samples
