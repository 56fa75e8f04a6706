"""The decision core: an Observation goes in, a Decision comes out.

Nothing here reads a clock, a cluster or a metrics server, and nothing here writes. One reconcile is

    observe  (serin.controller.observe)   all reads
    decide   (serin.rollout.decide)       this package: pure, one `now`
    apply    (serin.controller.apply)     all writes, in an order that is explained there

Where to find what:
    plan         stages and gates of an attempt with absolute numbers, a snapshot taken when it starts
    state        what a rollout remembers from one look to the next
    observation  everything that a decision may depend on
    evidence     readings of the metrics grid go into the gates' sequential tests
    rules        what to do with a running attempt: one ordered list, the first rule that speaks decides
    starting     what to do when no attempt runs: serve, start one, go back, refuse
    decide       puts the two together
    desired      what the cluster should look like in a state
    persist      state to and from the resource's status
    report       status and conditions for people
    record       the decision record of a revision
"""
