"""The server on a system that lets it open hardly any files."""

import resource

from stagedoor.cli import main

FILES = 64

resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
main()
