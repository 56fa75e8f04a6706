"""What becomes of a gate over a policy's own counters: the rows of serin.metrics.gates, one by one."""

from serin.api.reasons import Reason
from serin.metrics.prometheus import QueryRejected
from serin.metrics.reading import Counted, QueryNeed
from serin.stats import Counts
from tests.unit.metrics.world import CANDIDATE, ERRORS, NONE, POD_A, POD_B, STABLE, T0, UNSOLD, Lab, counted, missing


def lab_with(need: QueryNeed = UNSOLD) -> Lab:
    lab = Lab(needs=[need, ERRORS])
    lab.scrape(-30)
    lab.scrape(-15)
    return lab


def test_counts_by_revision() -> None:
    lab = lab_with()
    for at, total, bad in ((-30, 10, 1), (-15, 30, 4)):
        lab.store.scrape(T0 + at, [f"offers_total {total}", f"offers_unsold_total {bad}"], **POD_A)
        lab.store.scrape(T0 + at, [f"offers_total {total * 2}"], **POD_B)
    assert counted(lab.reading(15), "unsold") == Counted(Counts(20, 3), Counts(40, 0))


def test_a_target_that_is_up_without_the_counters_counts_zero() -> None:
    lab = lab_with()
    for pod in (POD_A, POD_B):
        lab.store.scrape(T0 - 15, **pod)
    assert counted(lab.reading(15), "unsold") == Counted(NONE, NONE)


def test_labels_of_the_exporter_do_without_up() -> None:
    lab = lab_with()
    for at, total in ((-30, 10), (-15, 13)):
        lines = [f'offers_total{{serin_dev_revision="{arm.revision}"}} {total}' for arm in (STABLE, CANDIDATE)]
        lab.store.scrape(T0 + at, lines, job="shop", instance="10.0.2.1:80")
    assert counted(lab.reading(15), "unsold") == Counted(Counts(3, 0), Counts(3, 0))


def test_an_arm_without_target_and_series_is_not_attributable() -> None:
    lab = lab_with()
    lab.store.scrape(T0 - 15, "offers_total 5", **POD_A)
    assert missing(lab.reading(15), "unsold").reason == Reason.NOT_ATTRIBUTABLE


def test_targets_that_are_not_up_are_stale() -> None:
    lab = lab_with()
    lab.store.scrape(T0 - 15, "offers_total 5", **POD_A)
    lab.store.scrape(T0 - 100, "offers_total 5", **POD_B)
    lab.store.scrape(T0 - 85, "offers_total 5", **POD_B)
    assert missing(lab.reading(15), "unsold").reason == Reason.STALE_METRICS


def test_a_template_that_fails_is_missing_for_this_gate_only() -> None:
    lab = lab_with()
    lab.store.failing = lambda query: QueryRejected("parse error") if "offers" in query else None
    reading = lab.reading(15)
    assert missing(reading, "unsold").reason == Reason.METRICS_UNAVAILABLE
    assert "offers_total" in missing(reading, "unsold").message
    assert counted(reading) == Counted(NONE, NONE)


def test_a_template_with_a_rate_never_reaches_the_source() -> None:
    need = QueryNeed("unsold", "rate(offers_total{${arm}}[1m])", "offers_unsold_total{${arm}}", "shop")
    lab = lab_with(need)
    found = missing(lab.reading(15), "unsold")
    assert found.reason == Reason.METRICS_UNAVAILABLE
    assert not any("rate" in query for query in lab.store.asked)


def test_one_event_may_be_half_counted_by_a_scrape_but_not_many() -> None:
    lab = lab_with()
    for pod in (POD_A, POD_B):
        lab.store.scrape(T0 - 30, ["offers_total 10", "offers_unsold_total 1"], **pod)
        lab.store.scrape(T0 - 15, ["offers_total 10", "offers_unsold_total 2"], **pod)
    assert counted(lab.reading(15), "unsold").candidate == Counts(1, 1)
    for pod in (POD_A, POD_B):
        lab.store.scrape(T0, ["offers_total 11", "offers_unsold_total 9"], **pod)
    lab.scrape(0)
    found = missing(lab.reading(30), "unsold")
    assert "bad ones must be among all" in found.message
