"""How a server is trusted that is reached over TLS."""

import ssl


def trusting(ca_file: str | None) -> ssl.SSLContext:
    """
    Return a client's context that trusts *ca_file*, or the machine's authorities where that is None.

    Raises OSError for a file that cannot be used.
    """
    context = ssl.create_default_context(cafile=ca_file)
    # Some systems' Python leaves it to OpenSSL's own settings how old a TLS may be.
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    return context
