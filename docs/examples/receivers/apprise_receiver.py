"""Any of the services that Apprise knows: mail, SMS, Matrix, Teams and others."""

import os
from typing import Any

import apprise

TYPES = {"completed": apprise.NotifyType.SUCCESS, "failed": apprise.NotifyType.FAILURE}


def notify(event: str, data: dict[str, Any]) -> None:
    """Send to the URLs in `APPRISE_URLS`."""
    session, services = data["session"], apprise.Apprise()
    services.add(os.environ["APPRISE_URLS"])
    title = f"{session.get('title', session['session_id'])}: {event}"
    body = f"{session['percentage']} % {data.get('page', '')}"
    notify_type = TYPES.get(event, apprise.NotifyType.INFO)
    assert services.notify(title=title, body=body, notify_type=notify_type)
