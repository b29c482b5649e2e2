"""The one settings module: everything that differs between sites comes from sitecfg.

The environment says which site this process serves (KUROSHIO_SITE) and where the configuration
lies (KUROSHIO_CONFIG). Where no site is named (type checks, message files) the first site's
settings are taken; what serves or writes calls `demand_site` first.
"""

import os
from pathlib import Path

import sitecfg
from crm.core.secret_key import secret_key
from crm.environment import SITE as SITE_VARIABLE
from crm.environment import secret_file, state_folder, this_site

HERE = Path(__file__).resolve().parent
CONFIG = sitecfg.load()
SITE = this_site(CONFIG)

# Without a named site nothing is served, so no key is read or made.
SECRET_KEY = (
    secret_key(secret_file(CONFIG, "KUROSHIO_SECRET_KEY_FILE", f"{SITE.name}.django"))
    if os.environ.get(SITE_VARIABLE)
    else "no site is served under this key"
)
DEBUG = False
ALLOWED_HOSTS = [
    SITE.web.host,
    "127.0.0.1",
    "localhost",
    *filter(None, os.environ.get("KUROSHIO_HOSTS", "").split(",")),
]

INSTALLED_APPS = [
    "crm.core",
    "crm.history",
    "crm.accounts",
    "crm.customers",
    "crm.catalog",
    "crm.sales",
    "crm.activities",
    "crm.reviews",
    "crm.reports",
    "crm.node",
    "crm.ops",
    "crm.demo",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
]
MIDDLEWARE = [
    "crm.core.measuring.Measured",
    "crm.core.middleware.SecurityHeaders",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "crm.core.middleware.ReadersOwn",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "crm.urls"
WSGI_APPLICATION = "crm.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [HERE / "templates"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "crm.node.context.standing",
                "crm.reviews.context.open_reviews",
            ],
            "builtins": [
                "django.templatetags.i18n",
                "django.templatetags.static",
                "django.templatetags.l10n",
                "crm.core.templatetags.look",
            ],
        },
    }
]

# The site's own database, as the role that owns the CRM's tables.
DATABASES = {
    "default": {
        "ENGINE": "crm.core.database",
        "HOST": SITE.database.host,
        "PORT": str(SITE.database.port),
        "NAME": SITE.database.name,
        "USER": "app",
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"password_file": str(secret_file(CONFIG, "KUROSHIO_APP_PASSWORD_FILE", f"{SITE.name}.app"))},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "log_in"
LOGIN_REDIRECT_URL = "today"
LOGOUT_REDIRECT_URL = "log_in"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "UserAttributeSimilarityValidator")
]

# Browsers keep cookies by host, not by port, and the local sites share one: hence the site's name.
SESSION_COOKIE_NAME = f"kuroshio_{SITE.name}"
CSRF_COOKIE_NAME = f"kuroshio_{SITE.name}_csrf"
CSRF_FAILURE_VIEW = "crm.core.views.stale_page"
LANGUAGE_COOKIE_NAME = f"kuroshio_{SITE.name}_language"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
_HTTPS = os.environ.get("KUROSHIO_HTTPS") == "1"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = _HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 7 * 24 * 3600
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _HTTPS else None
SECURE_HSTS_SECONDS = 31536000 if _HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

LANGUAGE_CODE = SITE.languages[0]
LANGUAGES = [("zh-hant", "繁體中文"), ("zh-hans", "简体中文"), ("en", "English")]
LOCALE_PATHS = [HERE / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = SITE.time_zone

STATIC_URL = "/static/"
STATICFILES_DIRS = [HERE / "static"]
STATIC_ROOT = state_folder(CONFIG, SITE) / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
