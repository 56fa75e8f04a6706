"""The decision core: an Observation goes in, a Decision comes out.

Nothing here reads a clock, a cluster or a metrics server, and nothing here writes. One reconcile is

    observe  (serin.controller.observe)   all reads
    decide   (serin.rollout.decide)       this package: pure, one `now`
    apply    (serin.controller.apply)     all writes, in an order that is explained there

Where to find what, in the order in which a look uses it:

    what is known    observation (everything that a decision may depend on), state (what is remembered), plan, gates and
                     snapshot (the policy with absolute numbers), windows, acts (people's), instants
    taking it in     intake, evidence (readings go into the gates' sequential tests), expected, clumping; arms (what
                     pods mean), answer and validation (what data say), polling (where a uri leads)
    no attempt runs  starting (serve, start one, go back, refuse), uncompared (attempts that compare nothing)
    an attempt runs  look, rules (one ordered list, the first that speaks decides: holds, verdicts), rulings; judge
                     (what the gates say together), soaking, ramp, acting (what people asked for)
    what is decided  decide puts these together; ending, draining, decision (the value), desired (the cluster as it
                     should be)
    what is told     report, record, progress, forecast; persist and persist_acts (to and from the status)
"""
