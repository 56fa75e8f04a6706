"""The files of manifests/samples as the local cluster can run them: a story loads one, so one that is wrong fails it.

    plan = Sample("validation-flips", iris)
    write(plan.data, FLOWERS)
    await plan.roll_out("2")

What is changed is what nobody could keep: names, namespace, hosts and the Gateway; the images, in place of which
commands run here; claims, which are folders here; addresses and keys of stores; times, and the margins of a canary,
because a story has seconds and a few hundred requests. All that judges a model is used as it stands in the file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from tests.demo.manifests import REPOSITORY
from tests.e2e.lifecycle.world import QUICK, Json, Model

SAMPLES = REPOSITORY / "manifests" / "samples"
SOAK = "2s"
RETRY = "5s"
MARGIN: Json = {"plus": "25pp", "ofStable": "0%", "max": "25pp"}
"""Wide: these stories are about what happens, not about how little evidence can prove."""
PROGRAMS = {"validate": "evaluate", "warmup": "warmup"}
"""The command of a stage's Job, and what its container is called."""


class Sample:
    """One file, for one ModelDeployment of a story; a story may change what `stage` and `evaluation` return."""

    def __init__(self, name: str, iris: Model) -> None:
        self._iris = iris
        raws = list(yaml.safe_load_all((SAMPLES / f"{name}.yaml").read_text()))
        # All get the stories' namespace, which would hide that a policy is in another one than who asks for it.
        assert len({one["metadata"]["namespace"] for one in raws}) == 1, f"{name} speaks of several namespaces"
        self._secrets = [one for one in raws if one["kind"] == "Secret"]
        self._policies = [one for one in raws if one["kind"] == "RolloutPolicy"]
        (self.md,) = (one for one in raws if one["kind"] == "ModelDeployment")
        for one in (*self._secrets, *self._policies):
            one["metadata"]["name"] = iris.its(one["metadata"]["name"])
        self._place_md()
        for rollout in self._rollouts():
            self._hasten(rollout)
            for stage in rollout.get("stages", []):
                self._place_job(stage)

    # --- what a story asks of it, and changes ------------------------------------------------------------------

    def stage(self, kind: str) -> Json:
        """What the only stage of a kind (validate, warmup) says."""
        found: Json
        (found,) = (one[kind] for rollout in self._rollouts() for one in rollout.get("stages", []) if kind in one)
        return found

    @property
    def evaluation(self) -> Json:
        """The evaluation of the stage validate."""
        evaluation: Json = self.stage("validate")["evaluation"]
        return evaluation

    @property
    def data(self) -> Path:
        """Where the Job finds its only data set: to be written before it looks."""
        (dataset,) = self.evaluation["datasets"]
        return self.seen_as(dataset["path"])

    def seen_as(self, path: str) -> Path:
        """The file of this machine that the validation's Job sees under a path, on a claim that its template mounts."""
        pod = self.stage("validate")["template"]["spec"]
        (container,) = pod["containers"]
        folders = {one["name"]: Path(one["hostPath"]["path"]) for one in pod["volumes"]}
        for mount in container["volumeMounts"]:
            if PurePosixPath(path).is_relative_to(mount["mountPath"]):
                found = folders[mount["name"]] / PurePosixPath(path).relative_to(mount["mountPath"])
                found.parent.mkdir(parents=True, exist_ok=True)
                return found
        raise AssertionError(f"the sample mounts nothing that holds {path}")

    # --- what it does ------------------------------------------------------------------------------------------

    async def reach(self, store: Mapping[str, str]) -> None:
        """Apply the sample's Secret with a store of this cluster; it has to name all that a client of it needs."""
        (secret,) = self._secrets
        assert store.keys() <= secret["stringData"].keys(), "the sample's Secret does not lead to its store"
        secret["stringData"] |= store
        await self._iris.world.apply(secret)

    async def roll_out(self, version: str, faults: Mapping[str, object] | None = None, **model: Any) -> None:
        """Apply policy and ModelDeployment, as a user does.

        faults: of the model server. model: other values of spec.model.
        """
        await self._iris.world.apply(*self._policies, self.deployment(version, faults, **model))

    def deployment(self, version: str, faults: Mapping[str, object] | None = None, **model: Any) -> Json:
        """The ModelDeployment of a version; see `roll_out`."""
        md = self._iris.spec(version, faults, scikit_learn=True)
        (here,) = md["spec"]["serving"]["template"]["spec"]["containers"]
        serving = self.md["spec"]["serving"]
        pod = serving["template"]["spec"]
        (container,) = pod["containers"]
        container = container | {key: here[key] for key in ("image", "command", "workingDir")}
        container["env"] = [*container.get("env", []), *here["env"]]
        template = {**serving["template"], "spec": {**pod, "containers": [container]}}
        spec = {
            **self.md["spec"],
            "model": {**self.md["spec"]["model"], "version": version, **model},
            "serving": {**serving, "template": template},
        }
        return {**self.md, "spec": spec}

    # --- what this cluster needs -------------------------------------------------------------------------------

    def _rollouts(self) -> Iterator[Json]:
        yield from (one["spec"] for one in self._policies)
        yield self.md["spec"]["rollout"]

    def _place_md(self) -> None:
        iris, spec = self._iris, self.md["spec"]
        self.md["metadata"]["name"] = iris.name
        route = spec["traffic"]["httpRoute"]
        route["hostnames"] = [iris.host]
        route["parentRefs"] = [{**ref, "namespace": "default"} for ref in route["parentRefs"]]
        fetch = spec["model"].get("fetch", {})
        self._own_secrets(fetch)
        if "cache" in fetch:
            fetch["cache"] = {"hostPath": {"path": str(iris.world.folder / iris.its("cache"))}}
        if "rollout" not in spec:  # the built-in policy takes 37 minutes
            spec["rollout"] = {"policyRef": {"name": QUICK}}
        elif "policyRef" in spec["rollout"]:
            spec["rollout"]["policyRef"] = {"name": iris.its(spec["rollout"]["policyRef"]["name"])}

    def _hasten(self, rollout: Json) -> None:
        for gate in rollout.get("gates", []):
            if "compare" in gate:
                gate["compare"] |= {"margin": MARGIN, "tolerance": "5pp"}
        for stage in rollout.get("stages", []):
            if "canary" in stage:
                stage["canary"]["soak"] = SOAK
            if "bake" in stage:
                stage["bake"]["for"] = SOAK
            if "validate" in stage:
                stage["validate"]["retry"] = RETRY

    def _place_job(self, stage: Json) -> None:
        for kind, program in PROGRAMS.items():
            if kind not in stage:
                continue
            self._own_secrets(stage[kind].get("report", {}))
            pod = stage[kind].setdefault("template", {}).setdefault("spec", {})
            containers = pod.setdefault("containers", [{"name": program}])
            (container,) = (one for one in containers if one["name"] == program)
            container["command"] = [sys.executable, "-m", "serin", program]
            source = {"name": "PYTHONPATH", "value": str(REPOSITORY / "operator")}
            container["env"] = [*container.get("env", []), source]
            pod["volumes"] = [self._on_this_machine(one) for one in pod.get("volumes", [])]

    def _on_this_machine(self, volume: Json) -> Json:
        if "persistentVolumeClaim" not in volume:
            return volume
        folder = self._iris.world.folder / self._iris.its(volume["persistentVolumeClaim"]["claimName"])
        folder.mkdir(exist_ok=True)
        return {"name": volume["name"], "hostPath": {"path": str(folder)}}

    def _own_secrets(self, place: Json) -> None:
        for source in place.get("envFrom", []):
            if "secretRef" in source:
                source["secretRef"] = {"name": self._iris.its(source["secretRef"]["name"])}
