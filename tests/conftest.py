"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

# No assertion of ours is about time, and a busy machine would make Hypothesis's own one fail at random.
settings.register_profile("plumb", settings(), deadline=None)
settings.load_profile("plumb")
