"""The exporter daemon: answers scrapes, and does nothing between them."""

import threading
from contextlib import closing

from replication import metrics
from replication.errors import UsageError
from replication.exporter.collector import SiteCollector
from replication.exporter.log import LogCollector
from sitecfg import Config, Site


def run(config: Config, site: Site) -> None:
    """Answer until the process is ended."""
    if site.metrics.site_port is None:
        raise UsageError(f"{site.name} has no port for its figures: give it metrics.site_port in its site file")
    log = LogCollector(config, site)
    with closing(SiteCollector(config, site, {"log": log.collect})) as collector:
        metrics.SITE.register(collector)
        metrics.serve(site.metrics.site_port, metrics.SITE)
        threading.Event().wait()
