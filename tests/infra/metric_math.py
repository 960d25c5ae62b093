"""CloudWatch's alarms on sample values: the metric maths that they use, and when they go on."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Value = float | None
"""None: there is no value for a period."""
Period = Mapping[str, Value]
_BINARY: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
}
_COMPARED = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
}


def computed(expression: str, known: Period) -> Value:
    """The value of an expression for one period; a division by zero has none, and neither has what is made of nothing.

    Raises:
        KeyError: it uses what is not known.
    """
    found: Value = _value(ast.parse(expression, mode="eval").body, known)
    return found


def _value(node: ast.AST, known: Period) -> Any:
    found: Any
    match node:
        case ast.Constant(value=number):
            found = number
        case ast.Name(id=name):
            found = known[name]
        case ast.List(elts=items):
            found = [_value(item, known) for item in items]
        case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]):
            ours, theirs = _value(left, known), _value(right, known)
            missing = ours is None or theirs is None or (isinstance(op, ast.Div) and theirs == 0)
            found = None if missing else _BINARY[type(op)](ours, theirs)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            found = _called(name, [_value(argument, known) for argument in arguments])
        case _:
            raise AssertionError(f"no metric maths that the tests know: {ast.dump(node)}")
    return found


def _called(name: str, arguments: list[Any]) -> Any:
    match name, arguments:
        case "IF", [condition, then, otherwise]:
            return None if condition is None else then if condition else otherwise
        case "FILL", [series, default]:
            return default if series is None else series
        case "MAX" | "SUM", [series]:
            values = [value for value in series if value is not None]
            return (max(values) if name == "MAX" else sum(values)) if values else None
    raise AssertionError(f"no function that the tests know: {name} of {len(arguments)}")


def is_on(alarm: Mapping[str, Any], periods: Sequence[Period], *, before: bool = False) -> bool:
    """Whether the alarm is on after these periods, the last of which is now; each has a value by the series' id (`value`, if it is one).

    A period without any value has none for an expression either: there is nothing whose gaps could be filled.
    """
    looked_at = [_compared(alarm, period) for period in periods[-int(alarm["evaluationPeriods"]) :]]
    treated = {"notBreaching": False, "breaching": True, "missing": None, "ignore": None}[alarm["treatMissingData"]]
    if alarm["treatMissingData"] == "ignore" and all(found is None for found in looked_at):
        return before
    breaching = sum((treated if found is None else found) is True for found in looked_at)
    return breaching >= int(alarm["datapointsToAlarm"])


def _compared(alarm: Mapping[str, Any], period: Period) -> bool | None:
    value = _watched(alarm, period)
    return None if value is None else bool(_COMPARED[alarm["comparisonOperator"]](value, alarm["threshold"]))


def _watched(alarm: Mapping[str, Any], period: Period) -> Value:
    queries = alarm.get("metricQueries")
    if not queries:
        return period.get("value")
    known: dict[str, Value] = {query["id"]: period.get(query["id"]) for query in queries if "metric" in query}
    assert period.keys() <= known.keys(), f"the alarm has {sorted(known)}"
    if not any(value is not None for value in known.values()):
        return None
    for query in queries:
        if "expression" in query:
            known[query["id"]] = computed(query["expression"], known)
    (result,) = [query["id"] for query in queries if query["returnData"]]
    return known[result]
