"""Grace: for a while after a right PIN, an authenticated credential signs in without one."""

from datetime import datetime, timedelta

from sqlalchemy import Engine, select

from kiosk.clock import Clock
from kiosk.database import schema
from kiosk.database.transaction import reading, writing


class GraceTickets:
    """One ticket per credential, on disk, with the time of its PIN.

    How long it holds is asked anew each time, so a site that shortens the time shortens the tickets already out.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def issue(self, person_id: str, credential_id: str) -> None:
        """A right PIN was just given with this credential. Raises DirectoryUnavailable."""
        table = schema.grace
        with writing(self._engine) as connection:
            connection.execute(table.delete().where(table.c.credential_id == credential_id))
            connection.execute(
                table.insert().values(credential_id=credential_id, person_id=person_id, issued_at=self._clock.now())
            )

    def holds(self, credential_id: str, hours: float) -> bool:
        """True within `hours` of the PIN; never for one from the future, which a clock set back would stretch."""
        table = schema.grace
        with reading(self._engine) as connection:
            issued_at: datetime | None = connection.execute(
                select(table.c.issued_at).where(table.c.credential_id == credential_id)
            ).scalar()
        if issued_at is None:
            return False
        return timedelta(0) <= self._clock.now() - issued_at < timedelta(hours=hours)

    def withdraw(self, person_id: str) -> None:
        """Takes back every ticket of the person. Raises DirectoryUnavailable."""
        with writing(self._engine) as connection:
            connection.execute(schema.grace.delete().where(schema.grace.c.person_id == person_id))
