"""OpenAI's Node client works by changing base URL and key, as the Python one does."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Stack

CLIENT = "openai@7.57.0"
SCRIPT = """
import OpenAI from "openai";
const client = new OpenAI({ baseURL: process.env.GATEWAY_URL, apiKey: process.env.GATEWAY_KEY, maxRetries: 0 });
const messages = [{ role: "user", content: `Hello from Node ${Date.now()}` }];
const answer = await client.chat.completions.create({ model: "fast", messages });
let pieces = 0;
for await (const chunk of await client.chat.completions.create({ model: "smart", messages, stream: true })) {
  pieces += chunk.choices[0]?.delta?.content ? 1 : 0;
}
const vectors = await client.embeddings.create({ model: "text-embedding-3-small", input: ["one", "two"] });
const stranger = new OpenAI({ baseURL: process.env.GATEWAY_URL, apiKey: "gwk-wrong", maxRetries: 0 });
const refused = await stranger.models.list().catch((error) => error.status);
const tokens = answer.usage.total_tokens;
console.log(JSON.stringify({ text: answer.choices[0].message.content, tokens, pieces, vectors: vectors.data.length, refused }));
"""


@pytest.mark.skipif(not shutil.which("npm"), reason="Node.js and npm are not on PATH")
def test_the_node_client_works(local: Stack, tmp_path: Path) -> None:
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--fetch-retries=0", "--prefix", str(tmp_path), CLIENT]
    if subprocess.run(install, check=False, capture_output=True, timeout=100).returncode:
        pytest.skip(f"npm cannot install {CLIENT} here")
    (tmp_path / "drive.mjs").write_text(SCRIPT)
    with local.caller(models=["gpt-6.1-terra", "gpt-6-luna", "text-embedding-3-small"]) as caller:
        environment = {"PATH": str(Path(str(shutil.which("node"))).parent), "GATEWAY_URL": f"{local.url}/v1", "GATEWAY_KEY": caller.api_key}
        ended = subprocess.run(
            ["node", "drive.mjs"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
    assert ended.returncode == 0, ended.stderr
    seen = json.loads(ended.stdout)
    assert "Hello from Node" in seen["text"]
    assert seen["tokens"] > 0
    assert seen["pieces"] > 1
    assert (seen["vectors"], seen["refused"]) == (2, 401)
