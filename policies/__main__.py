"""The policy pack, as `pulumi preview --policy-pack policies` runs it: only the wiring."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from datetime import UTC, datetime

from pulumi_policy import EnforcementLevel, PolicyPack

from policies import waivers
from policies.catalog import POLICIES
from policies.pack import packed

PolicyPack(
    name="openai-gateway",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=packed(POLICIES, waivers.load(), datetime.now(UTC).date()),
)
