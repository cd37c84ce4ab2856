"""Property tests on a machine that others use too: an example that takes long is no fault of ours."""

from hypothesis import HealthCheck, settings

settings.register_profile("patient measure", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient measure")
