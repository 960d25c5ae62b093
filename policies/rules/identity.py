"""Roles: what they may do, and who may assume them."""

from __future__ import annotations

from collections.abc import Iterator

from policies.documents import EQUAL, Statement, conditions, each, limited, listed, principals
from policies.policy import Policy, absent, every, refused
from policies.stack import Resource, Stack

DOCUMENTS = {"iam:RolePolicy": "policy", "iam:Policy": "policy"}
"""The rights of roles."""
MANAGED = "arn:aws:iam::aws:policy/"


def wild_action(statement: Statement) -> Iterator[str]:
    if "NotAction" in statement:
        yield "NotAction allows everything else"
    if wild := [action for action in listed(statement.get("Action")) if "*" in action]:
        yield f"Action = {', '.join(wild)}"


def wild_resource(statement: Statement) -> Iterator[str]:
    if "NotResource" in statement:
        yield "NotResource allows everything else"
    for arn in listed(statement.get("Resource")):
        if str(arn).split(":", 5)[-1] in ("*", "") or str(arn) == "*":
            yield f"Resource = {arn!r} for {', '.join(map(str, listed(statement.get('Action'))))}"


def unbound(statement: Statement) -> Iterator[str]:
    """Trust that another account could make use of."""
    for kind, who in principals(statement):
        if who == "*":
            yield "anyone may assume it"
        elif kind == "AWS" and who.endswith(":root") and not limited(statement):
            yield f"all of {who} may assume it"
        elif kind == "Service" and not limited(statement):
            yield f"{who} may assume it on behalf of any account"
        elif kind == "Federated" and not subject_named(statement):
            yield f"whoever {who} knows may assume it"


def subject_named(statement: Statement) -> bool:
    """Whether an identity provider must vouch for subjects that are written out."""
    return any(
        operator in EQUAL and key.endswith(":sub") and not any("*" in value for value in values)
        for operator, key, values in conditions(statement)
    )


def no_managed(role: Resource, _stack: Stack) -> Iterator[str]:
    arns = [role.known("policyArn"), *(role.known("managedPolicyArns") or [])]
    for arn in filter(None, arns):
        if arn.startswith(MANAGED):
            yield f"it has AWS's policy {arn.removeprefix(MANAGED)}"


POLICIES = (
    Policy(
        name="no-wildcard-action",
        title="No role may do everything, or all of a kind",
        why="A wildcard grants what AWS adds tomorrow, and what nobody thought of today.",
        fix="Name each action.",
        on=tuple(DOCUMENTS),
        check=each(DOCUMENTS, wild_action),
        severity="critical",
        covers=(
            *("CKV_AWS_62", "CKV_AWS_63", "CKV_AWS_286", "CKV_AWS_287", "CKV_AWS_288", "CKV_AWS_289", "CKV_AWS_290", "CKV2_AWS_40"),
            *("AwsSolutions-IAM5", "iam_inline_policy_no_administrative_privileges", "iam_inline_policy_allows_privilege_escalation"),
            "iam_inline_policy_no_full_access_to_kms",
        ),
    ),
    Policy(
        name="no-wildcard-resource",
        title="No role's right is for every resource",
        why="What was meant for one secret would open all of the account's.",
        fix="Name the ARN. Where AWS has none for an action, write a waiver.",
        on=tuple(DOCUMENTS),
        check=each(DOCUMENTS, wild_resource),
        severity="high",
        covers=("CKV_AWS_355", "AwsSolutions-IAM5"),
    ),
    Policy(
        name="role-trust",
        title="A role is assumed only by whom it names, and on behalf of this account only",
        why="A service can be made to use a role of another account whose name is known: the confused deputy.",
        fix="infra/policies.py's trust(), which has conditions on aws:SourceAccount and aws:SourceArn; for a pipeline, its exact subject.",
        on=("iam:Role",),
        check=each({"iam:Role": "assumeRolePolicy"}, unbound),
        severity="high",
        covers=(
            *("CKV_AWS_60", "CKV_AWS_61", "CKV_AWS_358"),
            *("iam_role_cross_service_confused_deputy_prevention", "iam_no_custom_policy_permissive_role_assumption"),
        ),
    ),
    Policy(
        name="role-own-rights",
        title="A role has rights of its own, and none of AWS's collections",
        why="Those are wide, and AWS changes them without asking.",
        fix="An iam.RolePolicy that names what the role needs.",
        on=("iam:Role", "iam:RolePolicyAttachment"),
        check=every(no_managed, absent("inlinePolicies")),
        severity="high",
        covers=("CKV_AWS_274", "AwsSolutions-IAM4", "iam_role_administratoraccess_policy"),
    ),
    Policy(
        name="no-users",
        title="There are no users and no keys that stay valid",
        why="A key that never ends is found in the end by somebody else.",
        fix="Roles, and OIDC for pipelines.",
        on=("iam:User*", "iam:AccessKey", "iam:Group*"),
        check=refused("it is a user's"),
        severity="high",
        covers=("iam_policy_attached_only_to_group_or_roles",),
    ),
)
