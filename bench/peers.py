"""The peers: LiteLLM, Portkey and nginx, installed into a folder that can be thrown away, each doing no more than it must."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench.errors import BenchError
from bench.process import free_port
from bench.target import Ground, Target, started
from bench.upstream import MODEL

LITELLM = "litellm[proxy]==1.106.2"
PORTKEY = "@portkey-ai/gateway@1.15.2"
INSTALL_S = 600
_NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.err;
events {{ worker_connections 1024; }}
http {{
  access_log {folder}/nginx.access; client_body_temp_path {folder}/nginx-body; proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-fastcgi; uwsgi_temp_path {folder}/nginx-uwsgi; scgi_temp_path {folder}/nginx-scgi;
  upstream openai {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port}; keepalive_requests 100000000;
    location / {{ proxy_pass http://openai; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }}
  }}
}}
"""


def litellm(ground: Ground, home: Path) -> Target:
    """One worker with a master key and the same Valkey as its cache; without a database, so it keeps no budgets and no usage."""
    binary = home / "litellm" / "bin" / "litellm"
    if not binary.exists():
        uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(home / "litellm")])
        _run([uv, "pip", "install", "--quiet", "--python", str(binary.with_name("python")), LITELLM])
    port, key = free_port(), "sk-litellm"
    api = {"model": f"openai/{MODEL}", "api_base": f"http://127.0.0.1:{ground.upstream_port}/v1", "api_key": "sk-bench"}
    config = {
        "model_list": [{"model_name": MODEL, "litellm_params": api}],
        "general_settings": {"master_key": key},
        "litellm_settings": {"cache": True, "cache_params": {"type": "redis", "host": "127.0.0.1", "port": ground.valkey_port}},
    }
    path = ground.folder / "litellm.yaml"
    path.write_text(json.dumps(config))  # JSON is YAML too
    command = [str(binary), "--config", str(path), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    quiet = {"LITELLM_MODE": "PRODUCTION", "LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
    process = ground.serve("litellm", command, quiet)
    return started(Target("litellm", port, process, {"authorization": f"Bearer {key}"}), "/health/readiness")


def portkey(ground: Ground, home: Path) -> Target:
    """The open-source gateway, which relays and translates; it has no keys of callers, limits or usage."""
    folder = home / "portkey"
    script = folder / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    if not script.exists():
        folder.mkdir(exist_ok=True)
        _run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), PORTKEY])
    port = free_port()
    process = ground.serve("portkey", ["node", str(script), f"--port={port}", "--headless"], {"TRUSTED_CUSTOM_HOSTS": "127.0.0.1"})
    host = f"http://127.0.0.1:{ground.upstream_port}/v1"
    headers = {"authorization": "Bearer sk-bench", "x-portkey-provider": "openai", "x-portkey-custom-host": host}
    return started(Target("portkey", port, process, headers, caches=False), "/")


def nginx(ground: Ground, home: Path) -> Target:
    """The ceiling: bytes passed on, and a line in the access log."""
    binary = shutil.which("nginx", path="/usr/sbin") or shutil.which("nginx") or str(home / "nginx" / "usr" / "sbin" / "nginx")
    if not Path(binary).exists():
        _run(["apt-get", "download", "--quiet", "nginx"], folder=home)
        _run(["dpkg", "--extract", str(next(home.glob("nginx_*.deb"))), str(home / "nginx")])
    port = free_port()
    path = ground.folder / "nginx.conf"
    path.write_text(_NGINX.format(folder=ground.folder, upstream=ground.upstream_port, port=port))
    process = ground.serve("nginx", [binary, "-c", str(path), "-e", str(ground.folder / "nginx.err")], {})
    return started(Target("nginx", port, process, caches=False), "/")


def install_into(home: Path) -> None:
    """Make the folder, which git and ruff pass over."""
    home.mkdir(parents=True, exist_ok=True)
    (home / ".gitignore").write_text("*\n")


PEERS: dict[str, Callable[[Ground, Path], Target]] = {"litellm": litellm, "portkey": portkey, "nginx": nginx}


def _run(command: list[str], folder: Path | None = None) -> None:
    if not shutil.which(command[0]):
        raise BenchError(f"{Path(command[0]).name} is not there to install it with")
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=INSTALL_S)
    except subprocess.TimeoutExpired:
        raise BenchError(f"{Path(command[0]).name} did not end within {INSTALL_S} s") from None
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or error.stdout).strip().splitlines() or ["it gave no reason"]
        raise BenchError(f"`{' '.join([Path(command[0]).name, *command[1:3]])}` failed: {lines[-1][:200]}") from None
