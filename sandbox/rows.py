"""What the local run creates for real in the emulated AWS: a row for each resource type.

A row names AWS operations. Their arguments are the Pulumi inputs of the same name, found by a walk over botocore's description of the
operation (`sandbox.aws`); what AWS names otherwise, or wants in further calls, stands in the row as a short hook. A type without a row is
recorded, not created.
"""

from sandbox.row import Row
from sandbox.rows_alarms import ALARMS
from sandbox.rows_firewall import FIREWALL
from sandbox.rows_identity import IDENTITY
from sandbox.rows_network import NETWORK
from sandbox.rows_service import BALANCER, SERVICE

ROWS: dict[str, Row] = NETWORK | IDENTITY | BALANCER | FIREWALL | SERVICE | ALARMS
