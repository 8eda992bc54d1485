"""Reads a log of HdrHistogram with its Python port and prints what it has of each tag, as JSON."""

import json
import sys

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

FRACTIONS = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}


def bucket_of(histogram, fraction):
    """Least and greatest value of the bucket with the sorted value at int(N * fraction)."""
    count = histogram.get_total_count()
    rank = min(int(count * fraction), count - 1)
    seen = 0
    for index in range(histogram.counts_len):
        seen += histogram.get_count_at_index(index)
        if seen > rank:
            value = histogram.get_value_from_index(index)
            break
    return [histogram.get_lowest_equivalent_value(value), histogram.get_highest_equivalent_value(value)]


reader = HistogramLogReader(sys.argv[1], HdrHistogram(1, 3_600_000_000, 3))
sums = {}
first = {}
while (interval := reader.get_next_interval_histogram()) is not None:
    tag = interval.get_tag() or ""
    first.setdefault(tag, interval.get_start_time_stamp())
    if tag not in sums:
        sums[tag] = HdrHistogram(1, 3_600_000_000, 3)
    sums[tag].add(interval)

print(json.dumps({
    tag: {
        "count": sum.get_total_count(),
        "max_us": [sum.get_lowest_equivalent_value(sum.get_max_value()), sum.get_highest_equivalent_value(sum.get_max_value())],
        "first_ms": first[tag],
        **{key: bucket_of(sum, fraction) for key, fraction in FRACTIONS.items()},
    }
    for tag, sum in sums.items()
}))
