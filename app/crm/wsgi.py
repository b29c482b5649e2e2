"""What gunicorn serves: `crm.wsgi:application`, for the site that KUROSHIO_SITE names."""

import os

from django.core.wsgi import get_wsgi_application

from crm.environment import demand_site

demand_site()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm.settings")

from crm.core.assets import build_assets  # noqa: E402  (reads the settings)
from crm.core.measuring import with_metrics  # noqa: E402
from crm.core.sites import this_site  # noqa: E402

build_assets()
pages = get_wsgi_application()

from crm.reviews.measuring import Reviews  # noqa: E402  (has models, which are there by now)

application = with_metrics(pages, this_site().metrics.web_port, Reviews())
