#!/usr/bin/env python3
"""Compares the medians of two probe files, figure by figure, and prints the spread by part and name.

    gpu_probe/compare_probes.py first.json second.json

Two runs on one machine show the repeat-to-repeat spread; runs on two machines, what a profile cannot know of another's.
"""
import json
import statistics
import sys


def medians(path):
    parts = json.load(open(path))["parts"]
    return {(part, f["name"], json.dumps(f["keys"], sort_keys=True)): f["median"]
            for part, content in parts.items() for f in content["figures"] if f["n"] > 1 and f["median"] > 0}


def main(first, second):
    a, b = medians(first), medians(second)
    groups = {}
    for key in a.keys() & b.keys():
        groups.setdefault(key[:2], []).append(b[key] / a[key] - 1)
    print(f"{'figure':<40}{'n':>6}{'median %':>10}{'|.| p50 %':>11}{'|.| p95 %':>11}{'within 2 %':>12}")
    for (part, name), changes in sorted(groups.items()):
        size = sorted(abs(c) for c in changes)
        print(f"{part + ' ' + name:<40}{len(size):>6}{100 * statistics.median(changes):>10.2f}"
              f"{100 * statistics.median(size):>11.2f}{100 * size[int(0.95 * (len(size) - 1))]:>11.2f}"
              f"{sum(s <= 0.02 for s in size):>7} / {len(size):<3}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
