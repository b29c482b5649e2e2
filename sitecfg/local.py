"""What only the local sites need: the shape of `local.toml`."""

from typing import Annotated

from pydantic import Field, StrictBool, StrictInt

from .shapes import LOOPBACK, PathBelow, Port, Table


class Monitoring(Table):
    """The programs that watch all local sites. The sites have no such thing as a common place: they stand beside it."""

    prometheus_port: Port
    alertmanager_port: Port
    mail_port: Port = Field(description="where mail is delivered into a folder")
    hurry: Annotated[StrictInt, Field(ge=1, le=60)] = Field(
        default=1, description="every wait is so many times shorter, scrapes too: for tests"
    )


class Local(Table):
    """All sites on one machine: where their state lies and the ports that belong to no site."""

    state: PathBelow
    app: StrictBool = False
    wan_control_port: Port
    epmd_port: Port
    monitoring: Monitoring | None = None

    @property
    def wan_control(self) -> tuple[str, int]:
        """Where the WAN emulator takes orders."""
        return LOOPBACK, self.wan_control_port

    @property
    def ports(self) -> dict[str, int]:
        """Port by the key that names it."""
        own = {"wan_control_port": self.wan_control_port, "epmd_port": self.epmd_port}
        watching = self.monitoring.model_dump(exclude={"hurry"}) if self.monitoring else {}
        return own | {f"monitoring.{key}": port for key, port in watching.items()}
