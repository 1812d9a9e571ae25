"""A server that says, as it begins to listen, whether the collector would search through it: the product as it is."""

import gc

from stagedoor.http.server import HttpServer
from tests.e2e.harness.removed_guard import replace, run

really_serve = HttpServer.serve


async def tell_and_serve(server: HttpServer) -> None:
    """Look for the server, which the start has made, among what is searched."""
    is_searched = any(each is server for each in gc.get_objects())
    print("It is searched." if is_searched else "It is frozen.", flush=True)  # noqa: T201 -- that is what it is for
    await really_serve(server)


replace(HttpServer, "serve", tell_and_serve)
run()
