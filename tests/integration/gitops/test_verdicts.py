"""kstatus and the interpreter of Argo CD, as they are, on what the decision core says in every state."""

from __future__ import annotations

import pytest

from tests.integration.gitops.verdicts import KSTATUS, MODULE, Verdicts, verdicts
from tests.unit.gitops.expected import expected, states
from tests.unit.gitops.lua import health

STATES = states()


@pytest.fixture(scope="module")
def said() -> dict[str, Verdicts]:
    return dict(zip(STATES, verdicts(list(STATES.values())), strict=True))


@pytest.mark.parametrize("name", STATES)
def test_kstatus_says_what_a_user_of_flux_wants_to_see(name: str, said: dict[str, Verdicts]) -> None:
    """Failed when somebody has to do something, InProgress for as long as waiting helps, Current when promoted."""
    assert said[name].kstatus.status == expected(name, STATES[name])[1]


@pytest.mark.parametrize("name", STATES)
def test_both_interpreters_say_the_same(name: str, said: dict[str, Verdicts]) -> None:
    """The one of the unit tests is the C one, Argo CD's is in Go."""
    assert said[name].argo == health(STATES[name])


def test_a_failure_has_the_words_of_the_condition(said: dict[str, Verdicts]) -> None:
    """With the numbers in it."""
    failed = {name: one.kstatus.message for name, one in said.items() if one.kstatus.status == "Failed"}
    assert len(failed) > 10
    for name, message in failed.items():
        (stalled,) = [one for one in STATES[name]["status"]["conditions"] if one["type"] == "Stalled"]
        assert message == stalled["message"]


def test_the_version_is_the_pinned_one() -> None:
    assert f"sigs.k8s.io/cli-utils v{KSTATUS}\n" in (MODULE / "go.mod").read_text()
