"""The node agent: a stand-in for the kubelet that runs pods as processes.

There is no container runtime. A container's `command` and `args` run on the machine's own file system, with
the machine's own programs; `image` is recorded and otherwise ignored, so a container without `command`
cannot start. What tests of an operator look at is faithful, the rest is absent:

- every pod has a network namespace and an address of its own on 10.244.0.0/16, and its own host name;
- env (values, field, resource, ConfigMap and Secret references, `$(VAR)`), envFrom, workingDir;
- volumes: configMap, secret, emptyDir, projected (with service-account tokens), downwardAPI, hostPath; each
  container has a mount namespace of its own, and a mountPath need not exist on the machine;
- init containers, also those that keep running (restartPolicy Always); restart policies and back-off;
- startup, readiness and liveness probes by http, tcp and exec; preStop hooks and the grace period;
- termination messages; OOMKilled when the resident memory of a container passes its limit;
- a Service's name stands for its ready pods, by /etc/hosts (`names`), where its port is theirs;
- `KUBERNETES_SERVICE_HOST` names the API server, so in-cluster configuration works.

Not here: image pulls, users and security contexts, CPU limits, persistent volumes, ConfigMap updates in
running pods, renewal of service-account tokens, postStart hooks, gRPC probes, ephemeral containers, events,
`kubectl logs` and `exec` (see `Access.logs`), and ClusterIPs: nothing routes to a Service's own
address, so use names, pod addresses or the Gateway. All pods see each other's processes.
"""
