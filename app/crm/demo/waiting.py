"""Waiting for rows that another site writes: a foreign key holds only once its row has travelled here."""

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.db.models import Model
from psycopg import Connection

from crm.demo.copying import present

PATIENCE_SECONDS: Final = 300
_LOOK_SECONDS = 0.1


class NotArrivedError(Exception):
    """Rows from another site did not come in time."""


@dataclass
class Arrivals:
    """Which of a model's rows have arrived here; what it has seen it does not look up again."""

    connection: Connection
    model: type[Model]
    patience_seconds: float = PATIENCE_SECONDS
    _seen: set[UUID] = field(default_factory=set)

    def wait_for(self, keys: Collection[UUID]) -> None:
        """Return once all the keys are here; raises NotArrivedError when none has come for too long."""
        missing = self._missing(set(keys))
        deadline = time.monotonic() + self.patience_seconds
        while missing:
            if time.monotonic() > deadline:
                raise NotArrivedError(self._complaint(len(missing)))
            time.sleep(_LOOK_SECONDS)
            still = self._missing(missing)
            if len(still) < len(missing):
                deadline = time.monotonic() + self.patience_seconds
            missing = still

    def _missing(self, keys: set[UUID]) -> set[UUID]:
        unseen = keys - self._seen
        if unseen:
            self._seen |= present(self.connection, self.model, unseen)
        return unseen - self._seen

    def _complaint(self, missing: int) -> str:
        what = self.model._meta.verbose_name  # noqa: SLF001 (Django's documented way to a model's name)
        return (
            f"{missing} rows ({what}) have not arrived from headquarters for {self.patience_seconds:.0f} s: load its "
            "share too, see to it that the lines are up and replication runs, and call this again"
        )
