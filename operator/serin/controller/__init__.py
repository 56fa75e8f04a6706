"""The shell: everything that touches a cluster, a metrics server or a clock.

app         puts the parts together and runs them
handlers    kopf: watching only; an event puts an object into the cache and a key into the queue
cache       the watched objects, and what we wrote ourselves
queue       one look at a time for each ModelDeployment
lease       one leader
evidence    the metrics grid: one snapshot for all rollouts
observe     all reads of one look
claims      what of somebody else's stands in the way
apply       all writes of one look, in an order that is explained there
reconcile   observe, decide, apply
kube        the client
"""
