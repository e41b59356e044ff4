"""Properties run on machines that do other things too: how long an example takes says nothing."""

from hypothesis import settings

settings.register_profile("laws", deadline=None)
settings.load_profile("laws")
