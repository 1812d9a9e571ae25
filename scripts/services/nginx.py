"""nginx before servers that somebody else started, with the configuration that compose.yaml has too."""

import getpass
import re
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

from scripts.services.server import HOST, Server

CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy" / "nginx" / "nginx.conf"
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
"""The folders that nginx makes; unless told otherwise it makes them where only root may."""

ANSWER_SECONDS_MAX = 5.0


class Nginx(Server):
    """An nginx that hands on to servers on this machine; it answers, if only to say that it reaches none of them."""

    name = "nginx"

    def __init__(self, *upstream_ports: int) -> None:
        """Hand on to the servers at *upstream_ports*."""
        super().__init__()
        self.upstream_ports = upstream_ports

    @classmethod
    def missing(cls) -> str:
        """Name the program if it is not there."""
        return "" if shutil.which("nginx") else "nginx"

    def prepare(self) -> None:
        """Copy the configuration, and say which servers there are: others than listed there, in the same way."""
        shutil.copy(CONFIGURATION, self.folder)
        listed = (CONFIGURATION.parent / "servers.conf").read_text(encoding="utf-8")
        [parameters] = set(re.findall(r"^server \S+(.*);", listed, re.MULTILINE))
        servers = "".join(f"server {HOST}:{port}{parameters};\n" for port in self.upstream_ports)
        (self.folder / "servers.conf").write_text(servers, encoding="utf-8")

    def command(self) -> Sequence[str | Path]:
        """Return what runs it; its processes stay the caller's own, who alone can read the folder."""
        folders = "".join(f"{each}_temp_path {self.folder / each};\n" for each in TEMPORARY)
        (self.folder / "listen.conf").write_text(f"listen {HOST}:{self.port};\n{folders}", encoding="utf-8")
        directives = f"daemon off; user {getpass.getuser()}; pid {self.folder / 'pid'};"
        return ["nginx", "-p", self.folder, "-c", self.folder / CONFIGURATION.name, "-g", directives]

    def answers(self) -> bool:
        """Tell whether it speaks HTTP; its servers are not asked."""
        try:
            with socket.create_connection((HOST, self.port), ANSWER_SECONDS_MAX) as connection:
                connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")  # which it answers itself
                return connection.recv(5) == b"HTTP/"
        except OSError:
            return False

    @property
    def url(self) -> str:
        """Its address, as a client calls it."""
        return f"http://{HOST}:{self.port}"
