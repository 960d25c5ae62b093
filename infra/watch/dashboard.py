"""The stage on one page."""

from __future__ import annotations

from pulumi import ComponentResource, Output, ResourceOptions
from pulumi_aws import cloudwatch

from infra.balancer import Balancer
from infra.cache import Cache
from infra.config.stage import Stage
from infra.firewall import Firewall
from infra.service import Service
from infra.watch.alarms_balancer import of_balancer, of_firewall, of_tasks
from infra.watch.alarms_cache import of_nodes
from infra.watch.alarms_tasks import of_service
from infra.watch.dashboard_app import AppWidgets
from infra.watch.graphs import Widget, graph, line, marked, placed, states, text

INSIGHTS = "ECS/ContainerInsights"
ANSWERS = {
    "RequestCount": "requests",
    "HTTPCode_Target_2XX_Count": "2xx",
    "HTTPCode_Target_4XX_Count": "4xx",
    "HTTPCode_Target_5XX_Count": "5xx of tasks",
    "HTTPCode_ELB_5XX_Count": "5xx of the balancer",
}
VALKEY = (
    ("Valkey: its own CPU", "%", "EngineCPUUtilization", "Average"),
    ("Valkey: CPU of nodes", "%", "CPUUtilization", "Average"),
    ("Valkey: memory", "%", "DatabaseMemoryUsagePercentage", "Maximum"),
    ("Valkey: evictions", "a minute", "Evictions", "Sum"),
    ("Valkey: connections", "connections", "CurrConnections", "Maximum"),
)
EXPLAINED = """# {}
What to do about an alarm: its section in docs/runbook.md. Use and cost by client, model, feature and day: /usage."""


class Dashboard(ComponentResource):
    """A CloudWatch dashboard: is it well, how fast is it, what does it cost, what does it run on.

    What the app emits is drawn from its own list of metrics, so that no graph waits for a metric that nobody writes.
    """

    url: Output[str]
    """In AWS's console."""

    def __init__(  # noqa: PLR0913  each is something that stands on the page
        self,
        *,
        stage: Stage,
        balancer: Balancer,
        firewall: Firewall,
        service: Service,
        cache: Cache,
        alarm_arns: list[Output[str]],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("gateway:dashboard:Dashboard", "dashboard", None, opts)
        app = AppWidgets(stage)
        rows = [
            [states("Alarms", alarm_arns), *app.now()],
            [_answers(stage, balancer, firewall), *app.traffic()],
            app.speed(),
            app.money(),
            app.tokens(),
            app.limits(),
            _tasks(stage, balancer, service),
            _valkey(stage, cache),
            [text(EXPLAINED.format(stage.label))],
        ]
        page = cloudwatch.Dashboard(
            "dashboard",
            dashboard_name=stage.label,
            dashboard_body=Output.json_dumps({"start": "-PT3H", "periodOverride": "inherit", "widgets": placed(rows)}, sort_keys=True),
            opts=ResourceOptions(parent=self),
        )
        console = f"https://{stage.region}.console.aws.amazon.com/cloudwatch/home?region={stage.region}#dashboards/dashboard/"
        self.url = Output.concat(console, page.dashboard_name)
        self.register_outputs({"url": self.url})


def _answers(stage: Stage, balancer: Balancer, firewall: Firewall) -> Widget:
    answers = [line(of_balancer(balancer, name, "Sum"), label) for name, label in ANSWERS.items()]
    refused = line(of_firewall(stage, firewall.name, "BlockedRequests"), "refused by the firewall")
    return graph("Answers", [*answers, refused], stage.region, unit="a minute")


def _tasks(stage: Stage, balancer: Balancer, service: Service) -> list[Widget]:
    counts = [
        *(
            line(of_service(service, INSIGHTS, f"{state}TaskCount", "Average"), state.lower())
            for state in ("Desired", "Running", "Pending")
        ),
        line(of_tasks(balancer, "HealthyHostCount", "Minimum"), "healthy"),
        line(of_tasks(balancer, "UnHealthyHostCount", "Maximum"), "unhealthy"),
    ]
    cpu = line(of_service(service, "AWS/ECS", "CPUUtilization", "Average"), "all")
    memory = line(of_service(service, "AWS/ECS", "MemoryUtilization", "Maximum"), "the fullest")
    target = marked(stage.target_cpu_percent, "targetCpuPercent: scaling aims at it")
    return [
        graph("Tasks", counts, stage.region, unit="tasks", **marked(stage.max_tasks, "maxTasks")),
        graph("CPU of tasks", [cpu], stage.region, unit="%", **target),
        graph("Memory of tasks", [memory], stage.region, unit="%"),
    ]


def _valkey(stage: Stage, cache: Cache) -> list[Widget]:
    return [
        graph(title, [line(series, node) for node, series in of_nodes(cache, name, stat).items()], stage.region, unit=unit)
        for title, unit, name, stat in VALKEY
    ]
