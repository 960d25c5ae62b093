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
    given = [ask(local, question)]
    assert given[0][0] == "miss"

    def again() -> str:
        given.append(ask(local, question))
        return given[-1][0]

    local.until_kept(again)
    assert given[-1][1] in {identifier for _, identifier in given[:-1]}, "it is an answer that was given before"
    asked = sum(question in str(request["body"]) for request in local.upstream_requests())
    assert [ask(local, question)[0] for _ in range(4)] == ["hit"] * 4
    assert sum(question in str(request["body"]) for request in local.upstream_requests()) == asked


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
        local.until_kept(lambda: ask(local, question, api_key=key)[0])
    finally:
        secrets.put_secret_value(SecretId=secret, SecretString=json.dumps(callers))
