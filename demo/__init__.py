"""Demo data: a seeded, deterministic population of managed service providers, loaded by COPY."""

from api.demo_page import DemoViewer
from demo.load import load_demo
from demo.sizes import DemoSize
from demo.viewers import load_demo_viewers

__all__ = ["DemoSize", "DemoViewer", "load_demo", "load_demo_viewers"]
