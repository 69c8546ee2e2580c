"""Peers for the imaging tests."""

import pytest

from tests.kiosk.imaging.certificates import Site, make_site
from tests.peers import dcmqrscp, orthanc, qrscp, storescp

__all__ = ["dcmqrscp", "orthanc", "qrscp", "storescp"]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Certificates of a site, for this worker."""
    return make_site(tmp_path_factory.mktemp("site"))
