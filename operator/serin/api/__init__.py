"""The API of Serin: resources, status, conditions and reasons as pydantic models.

The CRDs are generated from them. What belongs here: what users write, what Serin writes back, and the rules
that make either valid, in words and in CEL. What never does: input or output, a clock, a Kubernetes client,
or any import of another package of Serin.

    names               group, labels, slots, revision names
    quantities          "2m", "1%", "0.2pp"
    reasons             every reason that a condition can carry, with what to do about it
    conditions          Ready, Promoted, Reconciling, Stalled
    resource, rules     what all models share: camelCase, metadata, rules that hold on both sides
    gates, stages       the two lists of a policy
    times, windows      when a rollout may advance
    rollout_policy      RolloutPolicy and the built-in policy
    resolve             policy plus a deployment's own words = what a rollout goes by
    model, traffic      two parts of a ModelDeployment
    model_deployment    ModelDeployment; what Serin reports of it is in `status`
    model_revision      ModelRevision and the content hash
    rollout_action      RolloutAction, what people do by hand
    parse               raw objects in, models or InvalidSpec out
    schema, crd         models in, CRDs out (`python -m serin.api.crd`)
"""
