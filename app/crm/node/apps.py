"""The app of this domain."""

from django.apps import AppConfig


class NodeConfig(AppConfig):
    """Where this node stands: its site and the lines to the others."""

    name = "crm.node"
