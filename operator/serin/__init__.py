"""Serin: model rollouts on Kubernetes, decided by evidence."""
