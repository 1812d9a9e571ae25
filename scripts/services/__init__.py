"""Real servers of the engines that the cluster profile stands on, each in a folder and on a port of its own."""

from scripts.services.kafka import Kafka
from scripts.services.mariadb import MariaDB
from scripts.services.nginx import Nginx
from scripts.services.postgres import PostgreSQL
from scripts.services.redis import Redis
from scripts.services.server import Missing, Server

ENGINES: dict[str, type[Server]] = {each.name: each for each in (MariaDB, PostgreSQL, Redis, Kafka, Nginx)}
"""All of them, by the name that a suite's `needs` gives them."""

__all__ = ["ENGINES", "Kafka", "MariaDB", "Missing", "Nginx", "PostgreSQL", "Redis", "Server"]
