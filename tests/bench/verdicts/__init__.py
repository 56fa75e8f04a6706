"""How fast, at what price and how rightly the demo's policy decides: `python -m tests.bench.verdicts`.

    bad     a version of which 3 % of the requests fail, twenty times: failed requests, seconds to weight 0
    noisy   stable and candidate both fail 1 %, ten times: each promoted

The two stories run side by side in namespaces of their own, on one cluster, with real model servers, Traefik,
Prometheus, and 50 and 100 requests a second. Targets are in tests/bench/verdicts/__main__.py.
"""
