"""G8: frequently needed answers are kept and used, and each caller's are its own."""

from __future__ import annotations

import json
import uuid

from tests.conftest import Stack


def ask(stack: Stack, question: str, **options: object) -> tuple[str, str]:
    """What the cache said, and the answer's id."""
    answer = stack.client(**options).chat.completions.with_raw_response.create(
        model="gpt-6.1-terra", messages=[{"role": "user", "content": question}]
    )
    return answer.headers["x-cache"], answer.parse().id


def test_a_repeated_request_is_answered_without_openai(local: Stack) -> None:
    question = f"Twice {uuid.uuid4()}"
    first, second = ask(local, question), ask(local, question)
    assert (first[0], second[0]) == ("miss", "hit")
    assert first[1] == second[1]
    assert sum(question in str(request["body"]) for request in local.upstream_requests()) == 1


def test_another_caller_never_gets_it(local: Stack) -> None:
    secret, secrets = local.described["outputs"]["clientsSecretArn"], local.aws("secretsmanager")
    callers = json.loads(secrets.get_secret_value(SecretId=secret)["SecretString"])
    key = f"gwk-other-{uuid.uuid4()}"
    secrets.put_secret_value(SecretId=secret, SecretString=json.dumps(callers | {"other": {"key_sha256": [local.digest(key)]}}))
    question = f"Between us {uuid.uuid4()}"
    try:
        local.until_known(key)
        assert ask(local, question)[0] == "miss"
        assert ask(local, question, api_key=key)[0] == "miss"
        assert ask(local, question, api_key=key)[0] == "hit"
    finally:
        secrets.put_secret_value(SecretId=secret, SecretString=json.dumps(callers))
