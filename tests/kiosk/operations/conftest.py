"""Peers for the imaging tests."""

from tests.peers import dcmqrscp, orthanc, qrscp, storescp

__all__ = ["dcmqrscp", "orthanc", "qrscp", "storescp"]
