"""From Prometheus to counts: what each arm has served since the last instant, or why nobody knows.

Belongs here: the values that a decision reads (`reading`), exact deltas of counters (`series`, `meter`), what
each data plane and model server exports (`presets`), safe PromQL (`promql`), and the only two modules that
talk to anybody: `prometheus` (the client) and `hub` (one set of queries for all rollouts of a source).

Never here: verdicts, soak times, weights, Kubernetes. A reading has counts and reasons; what follows from
them is decided in `serin.rollout`, which may import `serin.metrics.reading` and nothing else of this package.

The grid. Evidence is read at instants t_k = k * interval of Prometheus's own clock, the same for all rollouts
of a source. At t_k the samples up to t_k - settle are read: by then they are all in the store, so that
reading the same instant again, later, after a crash, gives the same counts.
"""
