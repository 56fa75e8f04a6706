"""The long forms of the resilience tests: `python -m tests.bench.soak crash kills outage traffic`.

    crash    the operator dies before and after every write of three kinds of rollout
    kills    50 random kills over at least 10 rollouts, the API server restarted in between
    outage   Prometheus away for two minutes in mid-rollout
    traffic  100 weight changes and 20 rollouts under load, and no request fails

Each prints what it measured and ends with 1 when anything was not as it must be. Their short forms are in
tests/e2e/resilience.
"""
