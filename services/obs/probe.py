"""Ask a probe of this machine, for containers without curl: ``python -m services.obs.probe http://127.0.0.1:9642/live``.

Exit 0 when it answers 200; else 1, and one line says why. Only the standard library, so that asking costs little.
"""

from __future__ import annotations

import sys
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

TIMEOUT_S = 3.0
"""A loop that answers no sooner is stuck, or as good as."""
ANSWER_BYTES_MAX = 1_000
OK = 200


def fault(url: str) -> str | None:
    """Return what is wrong behind a URL, or None."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        return "not an http URL"
    connection = HTTPConnection(parts.hostname, parts.port or 80, timeout=TIMEOUT_S)
    try:
        connection.request("GET", parts.path or "/")
        answer = connection.getresponse()
        said = answer.read(ANSWER_BYTES_MAX).decode("utf-8", "replace").strip()
    except (OSError, HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return None if answer.status == OK else f"{answer.status} {said}"


def main(arguments: list[str]) -> int:
    """Ask the one URL that was given."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m services.obs.probe http://HOST:PORT/live\n")
        return 2
    if (what := fault(arguments[0])) is None:
        return 0
    sys.stderr.write(f"{arguments[0]}: {what}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
