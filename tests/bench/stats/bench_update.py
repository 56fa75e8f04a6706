"""How long an update takes: 1,000 gates together, and one by one. Prints; asserts nothing.

python tests/bench/stats/bench_update.py [gates] [updates]
"""

from __future__ import annotations

import sys
import time
import tracemalloc

import numpy as np

from serin.stats import Block, ConstantSettings, ConstantTest, Counts, RateSettings, RateTest, update_many


def blocks(rng: np.random.Generator, gates: int) -> list[Block]:
    """Return a block for each gate: about 250 requests of stable and 50 of the candidate, 1 % bad."""
    stable, candidate = rng.poisson(250, gates), rng.poisson(50, gates)
    bad_stable, bad_candidate = rng.binomial(stable, 0.01), rng.binomial(candidate, 0.01)
    columns = zip(stable, bad_stable, candidate, bad_candidate, strict=True)
    return [Block(Counts(int(a), int(b)), Counts(int(c), int(d)), 15.0) for a, b, c, d in columns]


def main(gates: int = 1000, updates: int = 20) -> None:
    """Print microseconds a gate for the batch, with and without reading the evidence, and one by one."""
    rng = np.random.default_rng(1)
    tests = [RateTest(RateSettings(), Counts(5000, 50)) for _ in range(gates)]
    rounds = [blocks(rng, gates) for _ in range(updates)]
    tests = update_many(tests, rounds[0])
    updating = reading = 0.0
    for given in rounds:
        begin = time.perf_counter()
        tests = update_many(tests, given)
        middle = time.perf_counter()
        _ = [test.evidence for test in tests]
        end = time.perf_counter()
        updating, reading = updating + middle - begin, reading + end - middle
    singles = min(gates, 200)
    begin = time.perf_counter()
    _ = [test.update(b.stable, b.candidate, b.seconds) for test, b in zip(tests[:singles], rounds[0], strict=False)]
    single = time.perf_counter() - begin
    begin = time.perf_counter()
    texts = [test.to_json() for test in tests]
    writing = time.perf_counter() - begin
    begin = time.perf_counter()
    _ = [RateTest.from_json(text) for text in texts[:singles]]
    loading = time.perf_counter() - begin
    limits = [ConstantTest(ConstantSettings(maximum=0.01)) for _ in range(gates)]
    begin = time.perf_counter()
    for given in rounds:
        limits = update_many(limits, given)
    constant = time.perf_counter() - begin
    tracemalloc.start()  # slows everything down, so only now
    _ = update_many(tests, rounds[0])
    peak = tracemalloc.get_traced_memory()[1]
    scale = 1e6 / gates
    print(f"gates                            {gates}")
    print(f"update_many, with intervals      {updating / updates * scale:8.1f} us a gate")
    print(f"  and reading .evidence          {reading / updates * scale:8.1f} us a gate")
    print(f"update_many, constant            {constant / updates * scale:8.1f} us a gate")
    print(f"update, one by one               {single / singles * 1e6:8.1f} us a gate")
    print(f"to_json                          {writing * scale:8.1f} us a gate")
    print(f"from_json                        {loading / singles * 1e6:8.1f} us a gate")
    print(f"state                            {max(map(len, texts)):8d} bytes of JSON at most")
    print(f"peak of allocations              {peak / 1e6:8.1f} MB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
