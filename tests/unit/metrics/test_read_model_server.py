"""What becomes of arms whose pods are scraped themselves: the rows of serin.metrics.gates, one by one."""

from serin.api.reasons import Reason
from serin.metrics.reading import Counted, Missing, Outage
from serin.stats import Counts
from tests.unit.metrics.world import CANDIDATE, ERRORS, NONE, POD_A, POD_B, T0, Lab, counted, missing


def infer(code: int, count: float) -> str:
    path = "/v2/models/{model_name}/infer"
    labels = f'app_name="mlserver",method="POST",path="{path}",status_code="{code}"'
    return f"rest_server_requests_total{{{labels}}} {count}"


def lab_with(preset: str = "mlserver") -> Lab:
    return Lab(needs=[ERRORS], preset=preset)


def test_counts_by_the_pods_own_label() -> None:
    lab = lab_with()
    lab.store.scrape(T0 - 30, infer(200, 5), **POD_A)
    lab.store.scrape(T0 - 30, **POD_B)
    lab.store.scrape(T0 - 15, infer(200, 9), **POD_A)
    lab.store.scrape(T0 - 15, [infer(200, 2), infer(500, 1)], **POD_B)
    assert counted(lab.reading(15)) == Counted(Counts(4, 0), Counts(3, 1))


def test_outage_when_neither_arm_is_up() -> None:
    lab = lab_with()
    lab.store.scrape(T0 - 80, infer(200, 5), **POD_A)
    found = lab.read(15)
    assert isinstance(found, Outage)
    assert found.reason == Reason.STALE_METRICS


def test_an_arm_that_was_never_seen_is_not_attributable() -> None:
    lab = lab_with()
    lab.store.scrape(T0 - 15, infer(200, 5), **POD_A)
    found = missing(lab.reading(15))
    assert found.reason == Reason.NOT_ATTRIBUTABLE
    assert f"serin_dev_revision={CANDIDATE.revision}" in found.message


def test_an_arm_whose_pods_are_gone_is_stale() -> None:
    lab = lab_with()
    for at in (-30, -15):
        lab.store.scrape(T0 + at, infer(200, 5), **POD_A)
        lab.store.scrape(T0 + at, infer(200, 5), **POD_B)
    assert counted(lab.reading(15)) == Counted(NONE, NONE)
    for at in (0, 15, 30, 45):
        lab.store.scrape(T0 + at, infer(200, 6), **POD_A)
    found = missing(lab.reading(75))
    assert found.reason == Reason.STALE_METRICS
    assert "60 s" in found.message


def test_a_pod_that_is_down_but_still_a_target_is_not_up() -> None:
    lab = lab_with()
    for at in (-30, -15):
        lab.store.scrape(T0 + at, infer(200, 5), **POD_A)
        lab.store.put(T0 + at, {"__name__": "up", **POD_B}, 0.0)
    assert isinstance(lab.reading(15).gates["errors"], Missing)


def test_zero_of_zero_before_the_first_request() -> None:
    lab = lab_with()
    lab.store.scrape(T0 - 15, infer(200, 5), **POD_A)
    lab.store.scrape(T0 - 15, **POD_B)
    assert counted(lab.reading(15)) == Counted(NONE, NONE)


def test_a_pod_that_has_just_started_counts_from_zero() -> None:
    lab = lab_with()
    lab.store.scrape(T0 - 15, infer(200, 5), **POD_A)
    lab.store.scrape(T0 - 15, [infer(500, 3), f"process_start_time_seconds {T0 - 25}"], **POD_B)
    assert counted(lab.reading(15)).candidate == Counts(3, 3)


def test_what_a_preset_cannot_measure_is_said_with_the_reason() -> None:
    lab = lab_with("kserve")
    lab.store.scrape(T0 - 15, **POD_A)
    found = missing(lab.reading(15))
    assert found.reason == Reason.NOT_ATTRIBUTABLE
    assert "exports no status" in found.message


def test_the_same_revision_name_in_another_namespace_is_another_arm() -> None:
    lab = lab_with()
    elsewhere = {**POD_B, "namespace": "other", "instance": "10.0.9.9:8080"}
    for at, count in ((-30, 5), (-15, 50)):
        lab.store.scrape(T0 + at, infer(200, count), **elsewhere)
        lab.store.scrape(T0 + at, infer(200, 5), **POD_A)
        lab.store.scrape(T0 + at, infer(200, 5), **POD_B)
    assert counted(lab.reading(15)).candidate == NONE
