"""What gunicorn serves: `crm.wsgi:application`, for the site that KUROSHIO_SITE names."""

import os

from django.core.wsgi import get_wsgi_application

from crm.environment import demand_site

demand_site()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm.settings")

from crm.core.assets import build_assets  # noqa: E402  (reads the settings)

build_assets()
application = get_wsgi_application()
