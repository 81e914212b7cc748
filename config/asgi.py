"""The application for an ASGI server: Django behind the front that agents wait at."""

from __future__ import annotations

import os
from typing import Any, cast

from a2wsgi import WSGIMiddleware
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django = get_wsgi_application()

from django.conf import settings  # noqa: E402

from config.front import Front  # noqa: E402

in_threads: Any = WSGIMiddleware(cast(Any, django), workers=settings.WEB_THREADS)
application = Front(in_threads)
