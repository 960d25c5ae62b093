"""What AWS may cost: the budget that warns on the way there."""

from __future__ import annotations

from pulumi import ComponentResource, ResourceOptions
from pulumi_aws import budgets

from infra.config.stage import Stage
from infra.watch.topic import Topic

ACTUAL_PERCENT = (50, 80, 100)
FORECAST_PERCENT = 100


class Budget(ComponentResource):
    """A monthly AWS Budget of the stage's ceiling; none where the stage has no ceiling.

    It tells the stage's topic at half of it, at 80 % and at all of it, and when AWS expects the month to end above it. It counts
    what carries the stage's tags, so that stages, and other programs, in one account are counted apart; AWS knows that only once the
    tags are cost allocation tags of the payer's account (docs/cost.md). It stops nothing, and AWS is hours late: the estimate is what
    refuses a stage that would cost too much, and what OpenAI costs is bounded by the app's own budget.
    """

    def __init__(self, *, stage: Stage, topic: Topic, opts: ResourceOptions | None = None) -> None:
        super().__init__("gateway:budget:Budget", "budget", None, opts)
        if stage.cost_ceiling_usd:
            told = [("ACTUAL", percent) for percent in ACTUAL_PERCENT] + [("FORECASTED", FORECAST_PERCENT)]
            budgets.Budget(
                "aws",
                name=stage.label,
                budget_type="COST",
                time_unit="MONTHLY",
                limit_amount=str(stage.cost_ceiling_usd),
                limit_unit="USD",
                cost_filters=[budgets.BudgetCostFilterArgs(name="TagKeyValue", values=_tags(stage))],
                cost_types=_charged(),
                notifications=[
                    budgets.BudgetNotificationArgs(
                        notification_type=kind,
                        comparison_operator="GREATER_THAN",
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                        subscriber_sns_topic_arns=[topic.arn],
                    )
                    for kind, percent in told
                ],
                opts=ResourceOptions(parent=self),
            )
        self.register_outputs({})


def _tags(stage: Stage) -> list[str]:
    """As Budgets names tags that people gave, in difference to those of AWS's own."""
    return [f"user:{key}${stage.tags[key]}" for key in ("project", "stage")]


def _charged() -> budgets.BudgetCostTypesArgs:
    """What the stage uses, as the estimate counts it: neither credits, which would hide it, nor taxes and support, which are no stage's."""
    return budgets.BudgetCostTypesArgs(include_credit=False, include_refund=False, include_tax=False, include_support=False)
