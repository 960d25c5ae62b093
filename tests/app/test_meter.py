"""What the meter counts, as CloudWatch and as Prometheus would read it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from app import metrics
from app.meter import MAX_KINDS, MAX_ROWS, Meter
from app.metrics import METRICS, MetricType
from app.usage import Usage
from tests.app.metric_readings import UNITS, Request, scraped, sums, written

FULL = {"cost_nanousd": 2_000, "usage": Usage(7, 3)}


def test_every_metric_is_described_once() -> None:
    assert {id(value) for value in vars(metrics).values() if isinstance(value, metrics.Metric)} == {id(metric) for metric in METRICS}
    assert len({metric.name for metric in METRICS}) == len({metric.prometheus for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert metric.unit in UNITS
        assert metric.prometheus.endswith("_total") == (metric.type is MetricType.COUNTER)
        assert set(metric.dimensions) <= {"Client", "Model", "Kind"}


def test_every_metric_is_written_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    meter = Meter("testing")
    meter.record(Request(cache="miss", first_byte=100.1, retries=1, **FULL))  # type: ignore[arg-type]
    meter.record(Request(cache="hit", saved_nanousd=5, usage=Usage(7, 3)))
    meter.record(Request(error="upstream_timeout"))
    meter.throttled("rate_limit")
    for gauge, value in ((metrics.IN_FLIGHT, 3), (metrics.BUDGET_SHARE, 0.255), (metrics.KEY_AGE, 60)):
        meter.watch(gauge, lambda value=value: value)  # type: ignore[misc]
    text = meter.prometheus()
    meter.stop()
    found = sums(written(capsys))
    assert {name for name, _ in found} == {metric.name for metric in METRICS}
    assert all(f"# TYPE {metric.prometheus} {metric.type}\n" in text for metric in METRICS)
    assert found["BudgetShare", "testing"] == 25.5
    assert scraped(text)['gateway_budget_share_ratio{stage="testing"}'] == 0.255
    assert found["Requests", "testing/Client=web"] == 3
    assert found["PromptTokens", "testing/Model=gpt-5-mini"] == 7  # those of the hit were not read by a model
    assert found["Latency", "testing/Model=gpt-5-mini"] == 250  # neither the hit nor the error is a model's answer
    assert found["TimeToFirstToken", "testing"] == pytest.approx(100)
    assert found["Cost", "testing/Client=web"] == 0.000002
    assert found["Errors", "testing/Kind=upstream_timeout"] == 1


REQUESTS = st.builds(
    Request,
    client=st.sampled_from(["web", "batch", None]),
    model=st.sampled_from(["gpt-5", "gpt-5-mini", None]),
    first_byte=st.sampled_from([None, 100.125]),
    ended=st.sampled_from([100.0, 100.5, 101.0, 1500.0]),
    error=st.sampled_from([None, None, "rate_limit"]),
    cache=st.sampled_from([None, "hit", "miss"]),
    usage=st.builds(Usage, st.integers(0, 10**6), st.integers(0, 10**6)),
    cost_nanousd=st.integers(0, 10**12),
    saved_nanousd=st.integers(0, 10**12),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(REQUESTS, st.none())))
def test_nothing_is_lost_or_counted_twice(capsys: pytest.CaptureFixture[str], steps: list[Request | None]) -> None:
    """Whenever it is written (None) in between, the sums are those of all requests, in CloudWatch as in Prometheus."""
    meter = Meter("s")
    for step in steps:
        meter.record(step) if step else meter.flush()
    meter.flush()
    found, shown = sums(written(capsys)), scraped(meter.prometheus())
    asked = [step for step in steps if step]
    assert found["Requests", "s"] == len(asked)
    for client, count in Counter(request.client or "-" for request in asked).items():
        assert found["Requests", f"s/Client={client}"] == count
        assert sum(value for name, value in shown.items() if f'requests_total{{stage="s",client="{client}"' in name) == count
    billed = [request for request in asked if request.cache != "hit"]
    assert found["Cost", "s"] == pytest.approx(sum(request.cost_nanousd for request in billed) / 1e9)
    assert found["CompletionTokens", "s"] == sum(request.usage.completion_tokens for request in billed if request.usage)
    times = [request for request in billed if request.model and not request.error]
    assert found["Latency", "s"] == pytest.approx(sum((request.ended or 0) - request.started for request in times) * 1000, rel=1e-6)
    assert sum(value for name, value in shown.items() if name.startswith("gateway_latency_seconds_count")) == len(times)


def test_more_times_than_a_line_may_have(capsys: pytest.CaptureFixture[str]) -> None:
    meter = Meter("s")
    for step in range(250):
        meter.record(Request(ended=100 + step / 1000))
    meter.flush()
    values = [line["Latency"] for line in written(capsys) if "Latency" in line]
    assert [len(value) for value in values] == [100, 100, 50]
    assert sum(map(sum, values)) == pytest.approx(sum(range(250)), rel=1e-4)
    meter.flush()
    assert not written(capsys)
    meter.record(Request(ended=100.2))
    meter.flush()
    assert [line["Latency"] for line in written(capsys) if "Latency" in line] == [[200.0]]


def test_distribution_in_prometheus_is_cumulative() -> None:
    meter = Meter("s")
    for ended in (100.0005, 100.05, 100.05, 9999.0):
        meter.record(Request(ended=ended))
    shown = scraped(meter.prometheus())
    buckets = [value for name, value in shown.items() if "_bucket" in name and "latency" in name]
    assert buckets == sorted(buckets)
    assert (buckets[0], buckets[-2], buckets[-1]) == (1, 3, 4)
    assert shown['gateway_latency_seconds_count{stage="s",model="gpt-5-mini"}'] == 4


def test_memory_is_bounded_and_no_request_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    meter = Meter("s")
    for number in range(MAX_ROWS + 50):
        meter.record(Request(client=f"c{number}", model=f"m{number}", error=f"e{number}"))
    meter.flush()
    found = sums(written(capsys))
    assert found["Requests", "s"] == found["Errors", "s"] == MAX_ROWS + 50
    assert found["Requests", "s/Client=(other)"] == found["Requests", "s/Model=(other)"] == 50
    assert found["Errors", "s/Kind=(other)"] == MAX_ROWS + 50 - MAX_KINDS


def test_label_values_are_escaped() -> None:
    meter = Meter('a"b\\c\nd')
    meter.record(Request())
    assert scraped(meter.prometheus())['gateway_requests_total{stage="a\\"b\\\\c\\nd",client="web",model="gpt-5-mini"}'] == 1


async def test_what_was_not_yet_written_is_written_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    meter = Meter("s")
    meter.start()
    meter.record(Request())
    meter.stop()
    assert sums(written(capsys))["Requests", "s"] == 1


async def test_is_written_by_itself_and_goes_on_after_a_failure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.meter.SAMPLE_S", 0.005)
    monkeypatch.setattr("app.meter.SAMPLES", 2)
    values: list[float | Exception | None] = [None, ZeroDivisionError(), 2.0, 4.0, None]
    written_twice = asyncio.Event()

    def read() -> float | None:
        value = values.pop(0) if values else None
        if isinstance(value, Exception):
            raise value
        if not values:
            written_twice.set()
        return value

    meter = Meter("s")
    meter.watch(metrics.IN_FLIGHT, read)
    meter.record(Request())
    meter.start()
    async with asyncio.timeout(10):
        await written_twice.wait()
    out = capsys.readouterr().out
    lines = [json.loads(line) for line in out.splitlines()]
    assert next(line["exception"] for line in lines if line["event"] == "metrics_failed") == "ZeroDivisionError"
    found = [line for line in lines if line["event"] == "metrics"]
    assert sums(found)["Requests", "s"] == 1
    assert [line["InFlight"] for line in found if "InFlight" in line] == [[2.0, 4.0]]
    meter.stop()
