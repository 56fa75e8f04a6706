"""How fast, with how much memory, and after a kill: 2 GB over TLS, beside curl and the same server."""
