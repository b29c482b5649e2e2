"""What a peer may ask for where rows differ: that this site sends its own again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from replication import events
from replication.postgres.connect import Connection
from replication.repair.sending import send_again
from replication.verify.between import enlisted
from sitecfg import Config

MOST_KEYS = 256


class WantedAgain(BaseModel):
    """``resend``: the rows with these keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    table: tuple[str, str] = Field(strict=False)
    keys: list[Annotated[list[str], Field(min_length=1, max_length=32)]] = Field(max_length=MOST_KEYS)
    by: Annotated[str, Field(max_length=200)]
    """For whom, as far as the peer knows."""


@dataclass(frozen=True, slots=True)
class Resending:
    """The service; for one connection."""

    connection: Connection
    config: Config

    def resend(self, peer: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send rows again that this site holds."""
        wanted = WantedAgain.model_validate(body)
        table = enlisted(self.connection, wanted.table)
        keys = [tuple(part.encode() for part in key) for key in wanted.keys]
        with self.connection.transaction():
            sent = send_again(self.connection, self.config, table, keys)
        events.logger().info(events.ROWS_SENT_AGAIN, peer=peer, table=str(table), rows=sent, by=wanted.by)
        return {"sent": sent}
