"""For all tests: torch waits without spinning; beside another busy process it would take many times as long."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
