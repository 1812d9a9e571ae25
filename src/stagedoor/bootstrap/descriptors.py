"""Every connection is an open file, and the system says how many of those there may be."""

import contextlib
import resource

import structlog

log = structlog.get_logger(__name__)

KEPT_FOR_OURSELVES = 200
"""Files that are no connections: the database's, the log's, the doors, and those accepted only to be refused."""


def room_for(connections: int) -> int:
    """
    Return how many of that many *connections* there can be, after asking the system to allow them all.

    A process may raise its own limit up to the hard one; what is missing then is logged.
    """
    wanted = connections + KEPT_FOR_OURSELVES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        reachable = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (reachable, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    fewer = max(1, soft - KEPT_FOR_OURSELVES)
    log.warning("server.few_open_files", open_files_max=soft, connections_max=fewer)
    return fewer
