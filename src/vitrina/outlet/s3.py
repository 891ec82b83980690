"""One whole object into a bucket: PUT, signed with AWS Signature Version 4 over the body's SHA-256.

The store takes an object whole or not at all and checks the digest itself. (pyarrow's writer sends bodies in chunks
with a trailing checksum, which many S3-compatible stores answer with 411.)
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

from vitrina.errors import InputError
from vitrina.outlet.address import parse
from vitrina.outlet.exchange import Answer, send

TIMEOUT_S = 900.0
LARGEST = 5 * 1024**3
"""Of one PUT, by S3's own rules."""
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,60})</Code>")


class TooLargeError(InputError):
    """No store takes this file, at whatever time."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """endpoint: address of the store, such as https://minio.example.org:9000; empty: Amazon's, by region."""

    name: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str = "us-east-1"
    endpoint: str = ""
    allow_private: bool = False

    def url(self, key: str) -> str:
        path = quote(key, safe="/-_.~")
        if self.endpoint:
            return f"{self.endpoint.rstrip('/')}/{self.name}/{path}"
        host = f"s3.{self.region}.amazonaws.com"
        return f"https://{host}/{self.name}/{path}" if "." in self.name else f"https://{self.name}.{host}/{path}"


def check_bucket(name: str) -> str:
    if not _BUCKET.fullmatch(name):
        raise InputError(
            f"target: expected s3://BUCKET/PREFIX with a bucket of 3 to 63 small letters, got {name[:80]!r}"
        )
    return name


def put(bucket: Bucket, key: str, file: Path, *, now: datetime | None = None) -> Answer:
    """Raises TooLargeError for a file over 5 GB, and for an address that is not allowed DeniedError."""
    size = file.stat().st_size
    if size > LARGEST:
        raise TooLargeError(
            f"{key}: {size:,} bytes; an object store takes 5 GB at once. Export this table by fewer shops."
        )
    with file.open("rb") as body:
        digest = hashlib.file_digest(body, "sha256").hexdigest()
        body.seek(0)
        url = bucket.url(key)
        headers = signed_headers(bucket, "PUT", url, digest, now or datetime.now(UTC))
        headers |= {"Content-Length": str(size)}
        return send("PUT", url, headers=headers, body=body, timeout_s=TIMEOUT_S, allow_private=bucket.allow_private)


def reason(answer: Answer) -> str:
    """What the store said, by its own name for the error."""
    code = _CODE.search(answer.text)
    return f"{answer.reason}: {code[1]}" if code else answer.reason


def signed_headers(bucket: Bucket, method: str, url: str, body_sha256: str, now: datetime) -> dict[str, str]:
    """As Amazon describes Signature Version 4: canonical request, string to sign, signing key, signature."""
    moment, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    parts, host = urlsplit(url), parse(url, allow_private=True).host_header
    headers = {"host": host, "x-amz-content-sha256": body_sha256, "x-amz-date": moment}
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = "\n".join((method, parts.path, parts.query, lines, names, body_sha256))
    scope = f"{day}/{bucket.region}/s3/aws4_request"
    to_sign = "\n".join(("AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{bucket.secret_key}".encode()
    for part in (day, bucket.region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    credential = f"{bucket.access_key}/{scope}"
    return {
        "x-amz-content-sha256": body_sha256,
        "x-amz-date": moment,
        "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}",
    }
