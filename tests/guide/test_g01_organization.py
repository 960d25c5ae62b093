"""G1: requests name the organization and the project that they are billed to."""

from __future__ import annotations

import uuid

import httpx2

from tests.conftest import Stack
from tests.infra.deployment import deploy


def test_every_upstream_request_names_the_stages_organization_and_project(local: Stack) -> None:
    question = f"Who pays? {uuid.uuid4()}"
    for stream in (False, True):
        answer = local.client().chat.completions.create(
            model="gpt-6.1-terra", messages=[{"role": "user", "content": f"{question} {stream}"}], stream=stream
        )
        if stream:
            list(answer)
    arrived = [request for request in local.upstream_requests() if question in str(request["body"])]
    assert len(arrived) == 2
    assert {(request["organization"], request["project"]) for request in arrived} == {("org-local", "proj_local")}


def test_a_caller_cannot_have_another_project_billed(local: Stack) -> None:
    question = f"Bill someone else {uuid.uuid4()}"
    headers = {"OpenAI-Organization": "org-other", "OpenAI-Project": "proj_other"}
    local.client().chat.completions.create(model="gpt-6.1-terra", messages=[{"role": "user", "content": question}], extra_headers=headers)
    (arrived,) = [request for request in local.upstream_requests() if question in str(request["body"])]
    assert (arrived["organization"], arrived["project"]) == ("org-local", "proj_local")


def test_the_stand_in_refuses_another_project(local: Stack) -> None:
    """So a request that named a wrong one would have failed above."""
    answer = httpx2.get(
        f"{local.described['openai_endpoint']}/models", headers={"Authorization": "Bearer sk-any", "OpenAI-Project": "proj_other"}
    )
    assert answer.status_code == 401


def test_staging_and_prod_are_billed_apart() -> None:
    staging, prod = deploy("staging").environment(), deploy("prod").environment()
    assert staging["OPENAI_PROJECT_ID"]
    assert prod["OPENAI_PROJECT_ID"]
    assert staging["OPENAI_PROJECT_ID"] != prod["OPENAI_PROJECT_ID"]
