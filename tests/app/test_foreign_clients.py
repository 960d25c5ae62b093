"""Clients that people use, in an environment of their own: each works by changing the address and the key, and nothing else."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Stack

CLIENTS = ("llm==0.36", "langchain-openai==1.7.3")
MODELS = ["gpt-6.1-terra", "gpt-6-luna", "text-embedding-3-small"]
QUIET = {"LANGSMITH_TRACING": "false"}
"""Neither client talks to anybody but the gateway."""
LANGCHAIN = """
import json, os
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, Field

at = {"base_url": os.environ["GATEWAY_URL"], "api_key": os.environ["GATEWAY_KEY"], "max_retries": 0}
chat = ChatOpenAI(model="fast", **at)

class Weather(BaseModel):
    "The weather of a city."
    city: str = Field(description="Where it is.")
    days: int

answer = chat.invoke("Hello from LangChain")
chunks = [chunk for chunk in chat.stream("Hello again") if chunk.content]
bound = chat.bind_tools([Weather])
calls = bound.invoke("What is the Weather in Paris?").tool_calls
streamed = None
for chunk in bound.stream("What is the Weather in Rome?"):
    streamed = chunk if streamed is None else streamed + chunk
structured = chat.with_structured_output(Weather).invoke("Paris")
vectors = OpenAIEmbeddings(
    model="text-embedding-3-small", check_embedding_ctx_length=False, **at  # the check downloads a tokenizer
).embed_documents(["one", "two"])
print(json.dumps({
    "text": answer.content, "tokens": answer.usage_metadata["total_tokens"], "pieces": len(chunks),
    "called": [(call["name"], call["args"]) for call in (*calls, *streamed.tool_calls)],
    "structured": structured.model_dump(), "vectors": [len(vector) for vector in vectors],
}))
"""
EXTRA_MODELS = """
- model_id: gateway
  model_name: fast
  api_base: "{url}/v1"
  api_key_name: gateway
"""

Installed = Callable[..., str]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A function that runs a command of an environment with the clients, and gives what it prints."""
    folder = tmp_path_factory.mktemp("clients")
    uv, venv = str(Path(sys.executable).with_name("uv")), str(folder / "venv")
    make = [[uv, "venv", venv, "--python", sys.executable], [uv, "pip", "install", "--python", venv, *CLIENTS]]
    if any(subprocess.run([*command, "--quiet"], check=False, capture_output=True, timeout=100).returncode for command in make):
        pytest.skip(f"uv cannot install {' and '.join(CLIENTS)} here")

    def ended(*command: str, **environment: str) -> str:
        program = f"{venv}/bin/{command[0]}"
        general = {"PATH": os.environ["PATH"], "HOME": str(folder), "LLM_USER_PATH": str(folder / "llm")} | QUIET
        done = subprocess.run([program, *command[1:]], env=general | environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return ended


@pytest.fixture(scope="module")
def key(local: Stack) -> Iterator[str]:
    """The key of a caller who may use every model that the clients ask for."""
    with local.caller(models=MODELS) as caller:
        yield caller.api_key


def test_langchain_works(installed: Installed, local: Stack, key: str) -> None:
    seen = json.loads(installed("python", "-c", LANGCHAIN, GATEWAY_URL=f"{local.url}/v1", GATEWAY_KEY=key))
    assert "Hello from LangChain" in seen["text"]
    assert seen["tokens"] > 0
    assert seen["pieces"] > 1
    assert seen["called"] == [["Weather", {"city": "text", "days": 1}]] * 2
    assert seen["structured"] == {"city": "text", "days": 1}
    assert seen["vectors"] == [1536, 1536]


def test_the_llm_command_works(installed: Installed, local: Stack, key: str, tmp_path: Path) -> None:
    (tmp_path / "extra-openai-models.yaml").write_text(EXTRA_MODELS.format(url=local.url))
    (tmp_path / "keys.json").write_text(json.dumps({"gateway": key, "openai": key}))
    home = {"LLM_USER_PATH": str(tmp_path), "OPENAI_BASE_URL": f"{local.url}/v1"}  # its embeddings know no other way
    asked = f"Hello from llm {time.time_ns()}"
    assert asked in installed("llm", "--model", "gateway", "--no-stream", asked, **home)
    assert asked in installed("llm", "--model", "gateway", asked, **home)
    sent = [request["body"] for request in local.upstream_requests() if asked in json.dumps(request["body"])]
    assert [bool(body.get("stream")) for body in sent] == [False, True]
    vector: list[Any] = json.loads(installed("llm", "embed", "--model", "3-small", "--content", "one", **home))
    assert len(vector) == 1536


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not on PATH")
def test_curl_works_as_the_documents_write_it(local: Stack) -> None:
    key = str(local.described["client_key"])
    (line,) = re.findall(r"^curl .*", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
    stated = re.sub(r"\$\(pulumi [^)]*\)", local.url, line).replace("gwk-…", key)
    assert {model["id"] for model in curl(stated)["data"]} >= {"fast", "smart"}
    (printed,) = re.findall(r"^curl .*", local.log(), flags=re.MULTILINE)
    assert "Hello!" in curl(printed)["choices"][0]["message"]["content"]


def curl(line: str) -> dict[str, Any]:
    ended = subprocess.run([*shlex.split(line), "--silent", "--fail"], capture_output=True, text=True, timeout=60, check=True)
    return dict(json.loads(ended.stdout))
