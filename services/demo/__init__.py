"""Demo data: a seeded, deterministic population of managed service providers, loaded by COPY."""

from services.demo.load import load_demo
from services.demo.sizes import DemoSize
from services.demo.viewers import DemoViewer, demo_viewers

__all__ = ["DemoSize", "DemoViewer", "demo_viewers", "load_demo"]
