"""What a running Prometheus says, and what lies in the mailbox."""

import email
import email.policy
import json
import urllib.parse
import urllib.request
from typing import Any
from urllib.error import URLError

from deploy.local.layout import local_of
from deploy.local.stack import Stack


class Watcher:
    """The Prometheus and the mailbox of a stack that is watched."""

    def __init__(self, stack: Stack) -> None:
        monitoring = local_of(stack.config).monitoring
        assert monitoring is not None
        self._url = f"http://127.0.0.1:{monitoring.prometheus_port}/api/v1"
        self._mail = stack.layout.mail

    def ask(self, path: str, **parameters: str) -> Any:
        """Prometheus' answer; raises where it says no."""
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        with urllib.request.urlopen(f"{self._url}/{path}{query}", timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[Any]:
        """What an expression yields now."""
        return list(self.ask("query", query=expression)["result"])

    def down(self) -> set[str]:
        """The targets that do not answer, or were not asked yet."""
        try:
            targets = self.ask("targets", state="active")["activeTargets"]
        except URLError as fault:
            return {f"Prometheus itself: {fault}"}
        if not targets:
            return {"Prometheus has not read its targets yet"}
        return {
            f"{target['labels']['job']} {target['labels'].get('site', '')} {target['lastError']}"
            for target in targets
            if target["health"] != "up"
        }

    def firing(self) -> set[tuple[str, str, str]]:
        """The alarms that fire, each with its site and origin."""
        return {
            (labels["alertname"], labels.get("site", ""), labels.get("origin", ""))
            for alert in self.ask("alerts")["alerts"]
            for labels in [alert["labels"]]
            if alert["state"] == "firing"
        }

    def mails(self) -> dict[str, str]:
        """Text by subject; the newest of each."""
        found = {}
        for path in sorted(self._mail.glob("*.eml")):
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            body = message.get_body(("plain",))
            found[str(message["Subject"])] = body.get_content() if body else ""
        return found
