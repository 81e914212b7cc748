"""What does an operator's Prometheus read? Counted from the rows, so right everywhere."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from approvals.judgement import UNEVALUATED
from approvals.models import BypassReview
from governance import clock
from governance.models import Action, JobRun, PendingEvent
from notifications.models import Delivery, Trouble, WebhookMessage


class Countersign(Collector):
    """Reads everything in a few aggregate queries at the moment of the scrape."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield self._actions()
        yield self._overdue()
        yield self._outbox()
        yield self._webhooks()
        yield self._reviews()
        yield self._troubles()
        yield self._jobs()

    def _actions(self) -> GaugeMetricFamily:
        words = "Actions by status and decision."
        family = GaugeMetricFamily(
            "countersign_actions", words, labels=["status", "decision"]
        )
        rows = Action.objects.order_by().values_list("status", "decision")
        for status, decision, count in rows.annotate(Count("pk")):
            family.add_metric([status, decision], count)
        return family

    def _overdue(self) -> GaugeMetricFamily:
        words = "Pending actions whose deadline or SLA mark nobody has acted on yet."
        overdue = Action.objects.overdue(clock.now()).count()
        return GaugeMetricFamily("countersign_overdue", words, overdue)

    def _outbox(self) -> GaugeMetricFamily:
        words = "Messages by state; unpublished are events nobody was told of yet."
        family = GaugeMetricFamily("countersign_deliveries", words, labels=["state"])
        rows = Delivery.objects.order_by().values_list("state")
        for state, count in rows.annotate(Count("pk")):
            family.add_metric([state], count)
        family.add_metric(["unpublished"], PendingEvent.objects.count())
        return family

    def _webhooks(self) -> GaugeMetricFamily:
        words = "Messages to agents' webhooks that wait, or were given up."
        family = GaugeMetricFamily("countersign_webhooks", words, labels=["state"])
        for state in (WebhookMessage.State.WAITING, WebhookMessage.State.FAILED):
            count = WebhookMessage.objects.filter(state=state).count()
            family.add_metric([state], count)
        return family

    def _reviews(self) -> GaugeMetricFamily:
        words = "Actions that ran by broken glass and nobody has reviewed yet."
        waiting = BypassReview.objects.filter(verdict="").count()
        return GaugeMetricFamily("countersign_bypass_reviews_open", words, waiting)

    def _troubles(self) -> GaugeMetricFamily:
        words = "What does not go on by itself, by kind and channel: 1 while it lasts."
        family = GaugeMetricFamily(
            "countersign_trouble", words, labels=["kind", "subject"]
        )
        for trouble in Trouble.objects.filter(ended_at=None):
            family.add_metric([trouble.kind, trouble.subject], 1)
        return family

    def _jobs(self) -> GaugeMetricFamily:
        words = "Seconds since a job last ran."
        family = GaugeMetricFamily("countersign_job_age_seconds", words, labels=["job"])
        at = clock.now()
        for run in JobRun.objects.exclude(last_run_at=None):
            assert run.last_run_at
            age = (at - run.last_run_at).total_seconds()
            family.add_metric([run.job], age)
        return family


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    registry = CollectorRegistry()
    registry.register(Countersign())
    registry.register(UNEVALUATED)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
