"""What the estimate of costs assumes beyond a stage's configuration and the traffic that it expects."""

from __future__ import annotations

CLIENTS, ERROR_KINDS = 5, 6
"""Callers that metrics tell apart, and kinds of errors that happen at all."""
PROMPT_BYTES, ANSWER_BYTES, REQUEST_BYTES = 4, 250, 2_000
"""Of a token as text, of a token as an event of a stream, and of a request's headers and handshakes."""
LOG_BYTES, ROW_BYTES, GAUGE_BYTES, INSIGHTS_BYTES = 800, 1_200, 650, 1_200
"""Of a request's line, of the metrics of a client and model, of those of a worker, and of one of Container Insights' lines."""
WRITES_AN_HOUR = 240
"""How often each worker writes its metrics."""
FLOW_BYTES, ACCESS_BYTES = 110, 600
"""Of a line in the network's flow logs, and of one in the balancer's access logs."""
FLOWS_OF_A_CHECK, FLOWS_OF_A_REQUEST = 4, 8
"""Lines in the flow logs: each connection is seen at both of its ends, in both directions."""
KEPT_SHARE = 0.2
"""What is kept of a log that came in, compressed."""
FILES_AN_HOUR = 24
"""Files that logs come into the archive as, from each zone."""
IMAGES_GB = 2
"""The images that a repository of the stage's own keeps, with their shared layers once."""

# What is deployed, counted; a test holds these numbers against it.
SECRETS, FIREWALL_RULES, DASHBOARDS, COMPOSITE_ALARMS, LOG_METRICS = 2, 4, 1, 1, 2
ALARM_METRICS, BUDGET_ALARM_METRICS, NODE_ALARM_METRICS = 31, 2, 5
"""Metrics that alarms look at: those of each stage, those of a monthly budget where there is one, and those of each node of the cache."""
SCALING_ALARM_METRICS = 4
"""Application Auto Scaling makes alarms of its own: two for each of the policies."""
INSIGHTS_METRICS = 37
"""Container Insights' metrics of a cluster with one service on Fargate: 10 of tasks, by cluster, service and family, and 7 that count."""
