"""Lets tests import the modules of the bench of detectors, whose folder is no package."""

from pathlib import Path
import sys

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench" / "detection"))
