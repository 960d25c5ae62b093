"""The route of a job: its bodies are made when they are needed."""

from __future__ import annotations

from app.job import Bodies
from app.model import Model
from tests.app.asked import CATALOG, MODELS


def test_a_body_is_made_when_its_model_is_asked() -> None:
    made: list[str] = []

    def body(model: Model) -> bytes:
        made.append(model.name)
        return model.name.encode()

    models = [MODELS["chat"], CATALOG.resolve("gpt-5-nano", ("gpt-5-nano",), "chat")]
    route = Bodies(models, body)
    assert len(route) == 2
    asked = iter(route)
    assert next(asked) == (models[0], b"gpt-5-mini")
    assert made == ["gpt-5-mini"]
    assert next(asked) == (models[1], b"gpt-5-nano")
