"""A stand-in of Hetzner's HTTP API on loopback, as far as deploy/create_server.py uses it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "a" * 64
CREATED = "2026-01-01T00:00:00+00:00"


class Refusal(Exception):  # noqa: N818
    """An error as the API tells it."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


class FakeHetzner:
    """A project: `refuse` names requests ("POST /servers") and how often, and why, they fail."""

    def __init__(self) -> None:
        self.endpoint = ""
        self.things: dict[str, list[dict[str, Any]]] = {
            "locations": [
                {"id": number, "name": name, "network_zone": "eu-central"}
                for number, name in enumerate(("fsn1", "nbg1", "hel1", "ash"), 1)
            ],
            "server_types": [
                _server_type(1, "cx23", "x86", 4.0, "5.4900"),
                _server_type(2, "cax11", "arm", 4.0, "5.9900"),
                _server_type(3, "cpx12", "x86", 2.0, "11.9900"),
            ],
            "images": [
                {"id": 10, "name": "ubuntu-24.04", "architecture": "x86", "type": "system"},
                {"id": 11, "name": "ubuntu-24.04", "architecture": "arm", "type": "system"},
            ],
            "ssh_keys": [], "firewalls": [], "servers": [],
        }  # fmt: skip
        self.actions: dict[int, dict[str, Any]] = {}
        self.refuse: dict[str, list[str]] = {}
        self.failing_action = ""  # the command whose action ends with an error
        self.requests: list[tuple[str, Any]] = []
        self.ordered: list[dict[str, Any]] = []  # servers, as they were asked for

    # -- what the API does -----------------------------------------------------------------

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Any:
        request = f"{method} {path}"
        self.requests.append((request, body))
        if self.refuse.get(request):
            code = self.refuse[request].pop(0)
            raise Refusal({"rate_limit_exceeded": 429}.get(code, 422), code)
        parts = path.strip("/").split("/")
        match method, parts:
            case "GET", ["actions", number]:
                return {"action": self._advance(int(number))}
            case "GET", [kind]:
                return self._list(kind, query)
            case "GET", [kind, number]:
                return {kind[:-1]: self._one(kind, number)}
            case "POST", ["ssh_keys"]:
                return {"ssh_key": self._add("ssh_keys", body | {"fingerprint": _print_of(body)})}
            case "POST", ["firewalls"]:
                wall = body | {"rules": _whole(body["rules"]), "applied_to": []}
                return {"firewall": self._add("firewalls", wall), "actions": []}
            case "POST", ["firewalls", number, "actions", "set_rules"]:
                self._one("firewalls", number)["rules"] = _whole(body["rules"])
                return {"actions": [self._action("set_firewall_rules")]}
            case "POST", ["servers"]:
                return self._create_server(body)
            case "POST", ["servers", number, "actions", "enable_backup"]:
                self._one("servers", number)["backup_window"] = "22-02"
                return {"action": self._action("enable_backup")}
            case "DELETE", [kind, number]:
                self.things[kind].remove(self._one(kind, number))
                return {"action": self._action(f"delete_{kind[:-1]}")} if kind == "servers" else {}
        raise Refusal(404, "not_found")

    def _create_server(self, body: dict[str, Any]) -> Any:
        if any(server["name"] == body["name"] for server in self.things["servers"]):
            raise Refusal(409, "uniqueness_error")
        keys = {key["id"] for key in self.things["ssh_keys"]}
        walls = {wall["id"] for wall in self.things["firewalls"]}
        assert keys.issuperset(body["ssh_keys"])
        assert walls.issuperset(each["firewall"] for each in body["firewalls"])
        assert len(body["user_data"].encode()) <= 32 * 1024
        network = {
            "ipv4": {"id": 5, "ip": "203.0.113.7", "blocked": False, "dns_ptr": "x"},
            "ipv6": {"id": 6, "ip": "2001:db8::/64", "blocked": False, "dns_ptr": []},
            "floating_ips": [], "firewalls": [],
        }  # fmt: skip
        self.ordered.append(body)
        told = {"name": body["name"], "labels": body["labels"], "public_net": network}
        server = self._add("servers", told | {"status": "running"})
        return {
            "server": server, "action": self._action("create_server"),
            "next_actions": [self._action("start_server")], "root_password": None,
        }  # fmt: skip

    def _action(self, command: str) -> dict[str, Any]:
        number = len(self.actions) + 1
        self.actions[number] = {
            "id": number, "command": command, "status": "running", "progress": 0,
            "started": CREATED, "finished": None, "resources": [], "error": None,
        }  # fmt: skip
        return dict(self.actions[number])

    def _advance(self, number: int) -> dict[str, Any]:
        """An action is seen running once, and is finished then."""
        action = self.actions[number]
        seen = dict(action)
        error = {"code": "action_failed", "message": "the host broke"}
        failed = action["command"] == self.failing_action
        action |= {"status": "error", "error": error} if failed else {"status": "success"}
        return seen

    def _list(self, kind: str, query: dict[str, list[str]]) -> Any:
        asked = {name: values for name, values in query.items() if name not in {"page", "per_page"}}
        found = [
            thing
            for thing in self.things[kind]
            if all(str(thing.get(name)) in values for name, values in asked.items())
        ]
        pages = {"page": 1, "per_page": 50, "previous_page": None, "next_page": None}
        total = {"last_page": 1, "total_entries": len(found)}
        return {kind: found, "meta": {"pagination": pages | total}}

    def _one(self, kind: str, number: str) -> dict[str, Any]:
        for thing in self.things[kind]:
            if thing["id"] == int(number):
                return thing
        raise Refusal(404, "not_found")

    def _add(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        thing = {"labels": {}, "created": CREATED} | body
        thing["id"] = 1000 + sum(len(things) for things in self.things.values())
        self.things[kind].append(thing)
        return thing


def _server_type(number: int, name: str, architecture: str, memory: float, net: str) -> Any:
    amount = {"net": net, "gross": f"{float(net) * 1.19:.4f}"}
    return {
        "id": number, "name": name, "architecture": architecture, "memory": memory, "cores": 2,
        "disk": 40, "prices": [
            {"location": place, "price_monthly": amount, "price_hourly": amount}
            for place in ("fsn1", "nbg1", "hel1")
        ],
    }  # fmt: skip


def _whole(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rules as the API tells them: with what was left out."""
    usual = {"port": None, "source_ips": [], "destination_ips": [], "description": None}
    return [usual | rule for rule in rules]


def _print_of(key: dict[str, Any]) -> str:
    digest = hashlib.md5(base64.b64decode(key["public_key"].split()[1])).hexdigest()
    return ":".join(re.findall("..", digest))


@contextmanager
def hetzner() -> Iterator[FakeHetzner]:
    """Serve a project until the context ends."""
    project = FakeHetzner()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"  # no connection is kept, or left open

        def _handle(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = json.loads(self.rfile.read(length)) if length else None
            parts = urlsplit(self.path)
            try:
                if self.headers["authorization"] != f"Bearer {TOKEN}":
                    raise Refusal(401, "unauthorized")
                status, told = 200, project.answer(
                    self.command, parts.path, parse_qs(parts.query), body
                )  # fmt: skip
            except Refusal as refusal:
                message = f"refused: {refusal.code}"
                status, told = refusal.status, {"error": {"code": refusal.code, "message": message}}
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = _handle  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    project.endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        yield project
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
