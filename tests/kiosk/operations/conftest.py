"""Peers for the imaging tests."""

from tests.peers import dcmqrscp, orthanc, storescp

__all__ = ["dcmqrscp", "orthanc", "storescp"]
