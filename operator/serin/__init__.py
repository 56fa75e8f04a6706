"""Serin: model rollouts on Kubernetes, decided by evidence."""

__version__ = "0.1.0"
