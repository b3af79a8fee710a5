"""What a server of objects, or the library in between, says is wrong: in a line, with what is to be done."""

from __future__ import annotations

import re

from sam_cluster.core.errors import StoreError

#: What may be in an answer, and what is to be done then; the last is for all else.
ADVICE = (
    (re.compile("NoSuchBucket"), "make the bucket, or name another as tables in [store]"),
    (
        re.compile(
            "AccessKeyId|SecretAccessKey|SignatureDoesNotMatch|ExpiredToken|InvalidToken|NoCredentials"
        ),
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the host a role",
    ),
    (
        re.compile("AccessDenied|PermissionDenied|Unauthenticated"),
        "who writes must be allowed to put, get, list and delete there, who reads to get and list",
    ),
    (
        re.compile(""),
        "look whether the server answers at AWS_ENDPOINT_URL (without it AWS, in AWS_REGION); begin again",
    ),
)
#: Where the role of a host would be told, which is asked last.
METADATA = re.compile("/latest/(api/token|meta-data)")
NO_BUCKET = "NoSuchBucket"
LONGEST_REASON = 200


def refusal(where: str, error: Exception) -> StoreError:
    """The error of a file's address, made from the XML of an answer, or from what the library says."""
    text = str(error)
    first = text.partition("\n\nDebug source")[0]
    if METADATA.search(first):
        first = text = "NoCredentials: none in the environment, and this host has no role"
    xml = re.search(r"<Code>(.*?)</Code>.*?<Message>(.*?)</Message>", first, re.DOTALL)
    system = re.search(r'message: "([^"]*)"', text)
    reason = system[1] if system else first.rpartition(" - ")[2]
    if xml:
        reason = f"{xml[1]}: {xml[2]}"
    reason = " ".join(reason.split())[:LONGEST_REASON].rstrip(".: ")
    told = f"{type(error).__name__} {first}"
    advice = next(advice for pattern, advice in ADVICE if pattern.search(told))
    return StoreError(f"{where} cannot be used: {reason}; {advice}")
