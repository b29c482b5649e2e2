"""What all tests share: the Hypothesis profile. Fixtures stand in the folder of their kind."""

from hypothesis import HealthCheck, settings

settings.register_profile("kuroshio", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("kuroshio")
