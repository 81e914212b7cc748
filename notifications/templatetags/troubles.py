"""Says on every page of those who run it what does not go on by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.template import Library, RequestContext

from governance import clock, queue
from governance.models import JobRun, User
from notifications.models import Trouble
from notifications.wording import count

register = Library()
PERMISSION = "notifications.view_delivery"
# A heartbeat comes every three seconds; a worker that starts takes its time.
SILENT = timedelta(minutes=1)


@register.inclusion_tag("notifications/troubles.html", takes_context=True)
def troubles(context: RequestContext) -> dict[str, Any]:
    """List what is wrong, for those who may look at deliveries."""
    user = context.request.user
    if not isinstance(user, User) or not user.has_perm(PERMISSION):
        return {}
    lasting = Trouble.objects.filter(ended_at=None).order_by("pk")
    return {"words": [*_silence(), *lasting.values_list("words", flat=True)]}


def _silence() -> list[str]:
    """Workers that are silent cannot say so themselves."""
    beats = JobRun.objects.filter(job=queue.HEARTBEAT)
    last = beats.values_list("last_run_at", flat=True).first()
    silent = clock.now() - last if last else timedelta()
    if silent < SILENT:
        return []
    minutes = count(int(silent.total_seconds() // 60), "minute")
    return [f"No worker has run for {minutes}: nobody is told anything meanwhile."]
