"""Shows a site's figures to Prometheus: what its database, its disk and its log hold, read at each scrape.

A process of its own, so that it can say what capture and apply do not when they do not run.
"""
