"""Connects with the password that stands in a file, read when a connection is made and not before."""

from pathlib import Path
from typing import Any

from django.db.backends.postgresql import base

from sitecfg.secrets import read_secret


class DatabaseWrapper(base.DatabaseWrapper):
    """PostgreSQL; `OPTIONS["password_file"]` names the file."""

    def get_connection_params(self) -> dict[str, Any]:
        params = super().get_connection_params()
        params["password"] = read_secret(Path(params.pop("password_file")))
        return params
