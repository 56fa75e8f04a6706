"""Model artifacts by URI: what a URI means now (`resolve`), and the files, verified, in a folder (`fetch`).

    resolve("models:/iris@champion")            -> Resolved(uri="models:/iris/3", digest="sha256:...", ...)
    fetch("s3://models/iris/3/", digest, into)  -> the files in `into`, or an ArtifactError that says what to do

This runs in Jobs and init containers in the user's namespace, never in the operator: the operator opens no address
that a user gave, and it has none of the libraries that this needs (the extra `artifacts`).

    uri       what may be written, and what it means                    no I/O
    digest    what a digest is of                                       no I/O over a network
    sources/  one module for each protocol: what is there, and bytes from an offset on
    web       GET with ranges, for those that speak HTTP
    transfer  one file: goes on after a break, hashes, keeps the time
    collect   all files of an artifact, and whether they are what was pinned
    cache     by digest, shared by processes; locks beside it
    archives  unpacks; pickles finds what runs code; zips and forward keep their memory bounded
    target    the folder that the model server reads
    fetching, resolving   put these together
    report    what the Job says at its end
    buckets   how a bucket is reached
    keeping   the other way round: what a Job made goes into a bucket, and what is old goes
"""

from serin.artifacts.cache import Cache
from serin.artifacts.digest import Digest
from serin.artifacts.errors import ArtifactError, Reason
from serin.artifacts.fetching import Fetched, fetch
from serin.artifacts.limits import Limits, Policy
from serin.artifacts.resolving import Resolved, resolve

__all__ = ["ArtifactError", "Cache", "Digest", "Fetched", "Limits", "Policy", "Reason", "Resolved", "fetch", "resolve"]
