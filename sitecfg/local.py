"""What only the local sites need: the shape of `local.toml`."""

from pydantic import StrictBool

from .shapes import LOOPBACK, PathBelow, Port, Table


class Local(Table):
    """All sites on one machine: where their state lies and the ports that belong to no site."""

    state: PathBelow
    app: StrictBool = False
    wan_control_port: Port
    epmd_port: Port

    @property
    def wan_control(self) -> tuple[str, int]:
        """Where the WAN emulator takes orders."""
        return LOOPBACK, self.wan_control_port
