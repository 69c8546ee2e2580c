"""The peers of the configuration as the imaging room knows them."""

from datetime import datetime, timedelta

from kiosk.config.model import KioskConfig
from kiosk.config.peers import PeerConfig
from kiosk.imaging.peers import IdentityKind, Peer, Receiving, RetrieveBy, Tls, UserIdentity, Verify
from kiosk.imaging.revocation import complaint
from kiosk.operations.settlement import DeliveryRules


def peer(config: PeerConfig, calling_ae_title: str) -> Peer:
    """A configured peer as the imaging room knows it."""
    return Peer(
        name=config.name,
        ae_title=config.ae_title,
        host=config.host,
        port=config.port,
        calling_ae_title=calling_ae_title,
        timeout=config.timeout,
        character_set=config.character_set,
        assumed_character_set=config.assumed_character_set,
        tls=_tls(config),
        user_identity=_user_identity(config),
        retrieve_by=RetrieveBy(config.retrieve_by),
        bytes_per_second=config.bytes_per_second,
        sends_from=config.sends_from,
        associations=config.associations,
        verify=Verify(config.verify),
        fed_by=config.fed_by,
    )


def _tls(config: PeerConfig) -> Tls | None:
    if config.authority is None or config.certificate is None or config.key is None:
        return None
    files = (str(config.authority), str(config.certificate), str(config.key))
    crl = str(config.crl) if config.crl is not None else ""
    return Tls(*files, server_name=config.server_name, pinned=config.pinned_authority, crl=crl)


def _user_identity(config: PeerConfig) -> UserIdentity | None:
    if not config.user_identity:
        return None
    secret = str(config.user_secret) if config.user_secret is not None else ""
    return UserIdentity(IdentityKind(config.user_identity), config.user_name, secret)


def revocation_complaints(config: KioskConfig, now: datetime) -> list[str]:
    """Sentences that say which files of revocation lists cannot be used at `now` (UTC): the peers they are for could
    not be believed, and would all be refused."""
    peers = (*config.archives, *config.destinations, *config.listeners)
    files = dict.fromkeys(configured.crl for configured in peers if configured.crl is not None)
    return [said for file in files if (said := complaint(file, now))]


def delivery_rules(config: KioskConfig) -> DeliveryRules:
    """Who is told of deliveries, and how long the outbox waits for what."""
    minutes = config.receiving.commitment_minutes if config.receiving.port else 0.0
    return DeliveryRules(
        tuple(peer(listener, config.kiosk.ae_title) for listener in config.listeners),
        timedelta(minutes=minutes),
        timedelta(days=config.limits.failed_push_days),
        config.limits.destinations_at_once,
    )


def receiving(config: KioskConfig) -> Receiving | None:
    """Where archives send what they were asked for by C-MOVE; None where none may."""
    if not config.receiving.port:
        return None
    title = config.kiosk.ae_title
    return Receiving(
        title,
        config.receiving.port,
        config.receiving.address,
        config.receiving.most_associations,
        tuple(peer(known, title) for known in (*config.archives, *config.destinations)),
    )
