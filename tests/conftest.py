"""What all tests share: the Hypothesis profile, and what a log may say. Fixtures stand in the folder of their kind."""

import logging

from hypothesis import HealthCheck, settings

settings.register_profile("kuroshio", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("kuroshio")

logging.getLogger("pika").setLevel(logging.WARNING)  # each step of each connection drowns why a test failed
