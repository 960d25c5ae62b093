"""The firewall in the emulated AWS: WAF."""

from __future__ import annotations

from sandbox.row import Call, Inputs, Row


def _web_acl(inputs: Inputs) -> Inputs:
    return inputs | {"customResponseBodies": {body["key"]: body for body in inputs.get("customResponseBodies", [])}}


def _changed(call: Call, arn: str, inputs: Inputs) -> None:
    """Every change names the version that it changes, by a token."""
    found = call("get_web_acl", arn=arn)
    call("update_web_acl", **_web_acl(inputs) | {"id": found["WebACL"]["Id"], "lockToken": found["LockToken"]})


FIREWALL = {
    "aws:wafv2/webAcl:WebAcl": Row(
        "wafv2", "create_web_acl", "Summary.ARN", "ARN", "get_web_acl", delete="delete_web_acl",
        mutable=("rules", "customResponseBodies", "dataProtectionConfig", "defaultAction", "description", "visibilityConfig"),
        prepare=_web_acl, after=_changed,
        outputs={"arn": "WebACL.ARN", "id": "WebACL.Id", "capacity": "WebACL.Capacity", "lockToken": "LockToken"},
    ),
    "aws:wafv2/webAclAssociation:WebAclAssociation": Row(
        "wafv2", "associate_web_acl", "=resourceArn", "ResourceArn", "get_web_acl_for_resource", "WebACL",
        delete="disassociate_web_acl", tagged=False,
    ),
    "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": Row(
        "wafv2", "put_logging_configuration", "=resourceArn", "ResourceArn", "get_logging_configuration", "LoggingConfiguration",
        "put_logging_configuration", "delete_logging_configuration", mutable=("loggingFilter", "redactedFields"), tagged=False,
        prepare=lambda inputs: inputs | {"loggingConfiguration": inputs},
    ),
}  # fmt: skip
