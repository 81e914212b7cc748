"""Every setting, each from the environment, each with a default that runs on SQLite.

Secrets may also come from a file: ``SECRET_KEY_FILE=/run/secrets/key``.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import django_stubs_ext
import environ
from csp.constants import NONCE, NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.templatetags.static import static
from django.urls import reverse_lazy

from config import roles

# Lets classes of Django say what they hold: ModelAdmin[Agent].
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"

env = environ.FileAwareEnv()
environ.FileAwareEnv.read_env(BASE_DIR / ".env")


def kept_secret(path: Path) -> str:
    """Return the secret in this file, made on first use and readable by us alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        # Written aside and linked into place: of two first starts one wins, whole.
        with tempfile.NamedTemporaryFile("w", dir=path.parent) as draft:
            draft.write(secrets.token_urlsafe(64))
            draft.flush()
            with suppress(FileExistsError):
                os.link(draft.name, path)
    return path.read_text().strip()


# --- Where it runs -----------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="") or kept_secret(VAR_DIR / "secret_key")
# Earlier keys, which still open what they have sealed and signed.
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", default=[])
PORT = env.int("PORT", default=8000)
# Links in messages point here, whatever Host header a request carried.
PUBLIC_URL = env.str("PUBLIC_URL", default=f"http://localhost:{PORT}").rstrip("/")
ALLOWED_HOSTS: list[str] = env.list(
    "ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"]
)
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SECURE = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
BEHIND_PROXY = env.bool("BEHIND_PROXY", default=False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Without knowing the proxy every request looks like plain http, for ever redirected.
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=SECURE and BEHIND_PROXY)
# Probes come from inside, past the proxy.
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]
_YEAR = int(timedelta(days=365).total_seconds())
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=_YEAR if SECURE else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
# Preloading speaks for a whole domain: that is for its owner to do.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
# Never "no-referrer": with it browsers send "Origin: null", and no form gets through.
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "config.errors.csrf_failure"
SESSION_COOKIE_AGE = int(timedelta(hours=12).total_seconds())

# How many requests one web process works on at once. Waiting agents need none.
WEB_THREADS = env.int("WEB_THREADS", default=8)

# --- What it is made of ------------------------------------------------------------

INSTALLED_APPS = [
    "config",
    "notifications",
    "approvals",
    "policies",
    "governance",
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.guardian",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "django_q",
    "guardian",
    "axes",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"
APPEND_SLASH = True

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ]
        },
    }
]

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
USE_TZ = True
USE_I18N = False
# How times are written, in one place.
FORMAT_MODULE_PATH = ["config.formats"]

# --- The database ------------------------------------------------------------------

DATABASES: dict[str, dict[str, Any]] = {
    "default": env.db(
        "DATABASE_URL", default=f"sqlite:///{VAR_DIR}/countersign.sqlite3"
    )
}
_database = DATABASES["default"]
if _database["ENGINE"] == "django.db.backends.sqlite3":
    # Writers queue at BEGIN instead of failing half-way, and a commit that was
    # answered survives a power cut.
    _database["CONN_MAX_AGE"] = None
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
else:
    # A connection that a restarted database has cut is noticed before it is used.
    _database["CONN_HEALTH_CHECKS"] = True
    _database["OPTIONS"] = {
        **_database.get("OPTIONS", {}),
        "pool": {
            "min_size": env.int("DB_POOL_MIN", default=1),
            "max_size": env.int("DB_POOL_MAX", default=20),
            "timeout": 2,
            # Or a pool goes on resting long after the database is back.
            "reconnect_timeout": 5,
        },
        "connect_timeout": 5,
        "options": "-c statement_timeout=10s -c lock_timeout=8s",
    }

# --- People ------------------------------------------------------------------------

AUTH_USER_MODEL = "governance.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = reverse_lazy("admin:login")
LOGIN_REDIRECT_URL = reverse_lazy("admin:index")
# Nobody is "anonymous" here: the agents' API knows agents, the console knows users.
ANONYMOUS_USER_NAME = None
GUARDIAN_RAISE_403 = True
AXES_FAILURE_LIMIT = env.int("LOGIN_FAILURE_LIMIT", default=10)
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
# Who tried to log in is in the audit log.
AXES_ENABLE_ADMIN = False

# What each role may open (config/roles.py; docs/roles.md).
ROLES = roles.ROLES

# --- The agents' API ---------------------------------------------------------------

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "approvals.api.authentication.AgentKeyAuthentication"
    ],
    # Authentication refuses whoever is no agent; an agent may make every call there is.
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_PARSER_CLASSES": ["approvals.api.parsers.StrictJSON"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "approvals.api.parsers.AlwaysJSON",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "config.api.handle_exception",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_METADATA_CLASS": None,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Countersign",
    "DESCRIPTION": "Ask before you act: submit an action, wait for the answer, "
    "consume the permission once, report the outcome.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.openapi.document_problems",
    ],
    "ENUM_NAME_OVERRIDES": {
        "StatusEnum": "governance.models.Status",
        "DecisionEnum": "governance.models.Action.Decision",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}
# Refuse actions that are not in the catalogue.
STRICT_ACTIONS = env.bool("STRICT_ACTIONS", default=False)
# Whether a change of the rules waits until a second person has confirmed it.
POLICY_FOUR_EYES = env.bool("POLICY_FOUR_EYES", default=False)
MAX_PENDING_PER_AGENT = env.int("MAX_PENDING_PER_AGENT", default=10_000)
# Submissions per minute and agent; 0 is no limit.
SUBMISSIONS_PER_MINUTE = env.int("SUBMISSIONS_PER_MINUTE", default=0)
# Seconds for which the glass may be broken at most.
BREAK_GLASS_MAX = timedelta(seconds=env.int("BREAK_GLASS_MAX", default=14_400))
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# --- Work the clock brings ---------------------------------------------------------

WORKER = env.str("WORKER", default="q2")  # or: celery
REDIS_URL = env.str("REDIS_URL", default="redis://localhost:6379/0")
# Dotted path of a job and the seconds between two runs. The ticker (embedded) and
# Celery beat (scaled out) both read this table; `run_due` runs all of it once.
JOBS: dict[str, float] = {
    "approvals.jobs.settle_due": 1,
    "notifications.jobs.publish_events": 1,
    "notifications.jobs.send_due": 2,
    "notifications.webhooks.jobs.send_webhooks": 2,
    "notifications.watch.jobs.look": 15,
    "approvals.jobs.check_drift": 3,
    "approvals.jobs.keep_days": 30,
    "policies.jobs.run_backtests": 2,
    "governance.queue.heartbeat": 3,
}
Q_CLUSTER: dict[str, Any] = {
    "name": "countersign",
    "orm": "default",
    # Three at least: two may wait for slow receivers, and with none left the queue
    # would pass for stuck.
    "workers": max(3, env.int("WORKERS", default=3)),
    "poll": 0.2,
    "timeout": 30,
    "retry": 45,
    "max_attempts": 3,
    "ack_failures": True,
    "catch_up": False,
    "scheduler": False,
    "save_limit": 50,
    "label": "background work",
}

# --- Messages ----------------------------------------------------------------------

vars().update(env.email("EMAIL_URL", default="consolemail://"))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="countersign@localhost")
EMAIL_TIMEOUT = 10
# Of the Slack app: the token it posts with, and the secret that Slack signs with.
SLACK_BOT_TOKEN = env.str("SLACK_BOT_TOKEN", default="")
SLACK_SIGNING_SECRET = env.str("SLACK_SIGNING_SECRET", default="")
SLACK_API_URL = env.str("SLACK_API_URL", default="https://slack.com/api/")
TWILIO_ACCOUNT_SID = env.str("TWILIO_ACCOUNT_SID", default="")
TWILIO_AUTH_TOKEN = env.str("TWILIO_AUTH_TOKEN", default="")
TWILIO_FROM = env.str("TWILIO_FROM", default="")
# Whether a text may say what the agent wants to do in its own parameters.
SMS_SUMMARIES = env.bool("SMS_SUMMARIES", default=False)
# Asked every 15 seconds while nothing is stuck; whoever listens there alarms otherwise.
HEARTBEAT_URL = env.str("HEARTBEAT_URL", default="")
# Services by name: {"operators": "ntfy://…"}; https://github.com/caronc/apprise
APPRISE_URLS: dict[str, str] = env.json("APPRISE_URLS", default={})
TWILIO_API_URL = env.str("TWILIO_API_URL", default="https://api.twilio.com")

# --- Agents' webhooks --------------------------------------------------------------

# Where they may be sent, beside public addresses by https on port 443.
WEBHOOK_PORTS: list[int] = env.list("WEBHOOK_PORTS", cast=int, default=[443])
WEBHOOK_NETWORKS: list[str] = env.list("WEBHOOK_NETWORKS", default=[])
WEBHOOK_PLAIN_HTTP = env.bool("WEBHOOK_PLAIN_HTTP", default=False)

# --- Files and headers -------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [SELF],
        # Alpine, which draws unfold's dialogs, evaluates its attributes.
        "script-src": [SELF, UNSAFE_EVAL, NONCE],
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:"],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
    }
}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "django.server": {"propagate": True, "handlers": []},
        "django-q": {"level": "WARNING"},
        # Scanners and probes by address: answered with 400, and not worth a traceback.
        "django.security.DisallowedHost": {"handlers": [], "propagate": False},
        "axes": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
    },
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Countersign",
    # There is no other site to return to.
    "SITE_URL": None,
    "SITE_HEADER": "Countersign",
    "SITE_SUBHEADER": "Approvals for AI agents",
    "SITE_SYMBOL": "verified",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "8px",
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda request: static("countersign/icon.svg"),
        }
    ],
    # One calm blue for everything that can be acted on.
    "COLORS": {
        "primary": {
            "50": "oklch(97% .012 262)",
            "100": "oklch(93.5% .026 262)",
            "200": "oklch(88% .048 262)",
            "300": "oklch(80% .08 262)",
            "400": "oklch(70% .115 262)",
            "500": "oklch(61% .14 262)",
            "600": "oklch(53% .15 262)",
            "700": "oklch(46% .135 262)",
            "800": "oklch(40% .11 262)",
            "900": "oklch(35% .085 262)",
            "950": "oklch(26% .06 262)",
        }
    },
    "STYLES": [
        lambda request: static("countersign/alarms.css"),
        lambda request: static("countersign/console.css"),
        lambda request: static("countersign/plain.css"),
        lambda request: static("notifications/messages.css"),
    ],
    "SCRIPTS": [
        lambda request: static("countersign/labels.js"),
        lambda request: static("notifications/bell.js"),
    ],
    "GLOBAL_CALLBACK": "approvals.console.alarms.context",
    "SIDEBAR": {"navigation": "config.console.navigation"},
    "DASHBOARD_CALLBACK": "config.console.overview",
}

# Which kinds of event leave a row for which reader (governance.ledger).
LEDGER_READERS: dict[str, set[str]] = {
    "notifications": {
        "stage_opened",
        "reminded",
        "reassigned",
        "escalated",
        "held",
        "sla_breached",
        "unreachable",
        "approved",
        "rejected",
        "changes_requested",
        "expired",
        "cancelled",
        "bypassed",
        "bypass_reviewed",
        "frozen",
        "thawed",
        "glass_broken",
        "glass_mended",
        "trouble_began",
        "trouble_ended",
        # Who has seen the request has read what there was to read about it.
        "viewed",
        "voted",
        # For agents alone.
        "judged_again",
        # Of agents' webhooks administrators hear.
        "webhook_disabled",
        "webhook_stuck",
    }
}
