"""Prometheus' text format, version 0.0.4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from app.metrics import STAGE, Metric
from app.series import BOUNDS_S, Distribution

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Sample = tuple[Metric, Mapping[str, str], float | Distribution]
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def exposition(stage: str, samples: Iterable[Sample]) -> str:
    """The samples as text; those of a metric stand together, below its description."""
    lines: dict[Metric, list[str]] = {}
    for metric, labels, value in samples:
        texts = [f'{name.lower()}="{text.translate(_ESCAPES)}"' for name, text in {STAGE: stage, **labels}.items()]
        named = metric.prometheus
        found = lines.setdefault(metric, [f"# HELP {named} {metric.description}", f"# TYPE {named} {metric.type}"])
        found += _distribution(named, texts, value) if isinstance(value, Distribution) else [_line(named, texts, value)]
    return "".join(f"{line}\n" for found in lines.values() for line in found)


def _distribution(name: str, texts: list[str], value: Distribution) -> Iterator[str]:
    ends = [f"{bound:.6g}" for bound in BOUNDS_S] + ["+Inf"]
    for end, count in zip(ends, accumulate(value.counts), strict=True):
        yield _line(f"{name}_bucket", [*texts, f'le="{end}"'], count)
    yield _line(f"{name}_sum", texts, sum(value.sums_s))
    yield _line(f"{name}_count", texts, sum(value.counts))


def _line(name: str, texts: list[str], value: float) -> str:
    return f"{name}{{{','.join(texts)}}} {value!r}"
