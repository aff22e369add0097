"""First contact: what an endpoint shows of itself. No request is sent, so nothing secret can leave."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from pvenix.adapters.pve.networds import cause_words
from pvenix.adapters.text import sanitise
from pvenix.model.doctor import Contact
from pvenix.model.site import Tls

_TIMEOUT_S: Final = 8.0
_PORT: Final = 8006


async def look(endpoint: str, tls: Tls) -> Contact:
    """The endpoint's certificate, and whether it proves what `tls` asks for."""
    parts = urlsplit(endpoint)
    place = (parts.hostname or "", parts.port or _PORT)
    try:
        der = await _shake_hands(*place, _anybody())
    except (OSError, TimeoutError) as error:
        return Contact(endpoint=endpoint, problem=_words(error))
    certificate = x509.load_der_x509_certificate(der)
    ends = certificate.not_valid_after_utc
    return Contact(
        endpoint=endpoint,
        fingerprint=_fingerprint(der),
        subject=sanitise(certificate.subject.rfc4514_string()),
        expires_at=ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
        days_left=(ends - datetime.now(UTC)).days,
        distrust=await _distrust(place, tls, _fingerprint(der)),
    )


def _anybody() -> ssl.SSLContext:
    """A context that accepts every certificate: it is looked at, and no byte of a request follows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _shake_hands(host: str, port: int, context: ssl.SSLContext) -> bytes:
    """The certificate of the other side; the connection is closed at once."""
    async with asyncio.timeout(_TIMEOUT_S):
        _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
        try:
            shown: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        finally:
            writer.transport.abort()
    if not shown:
        raise OSError("no certificate was shown")
    return shown


async def _distrust(place: tuple[str, int], tls: Tls, fingerprint: str) -> str:
    if tls.fingerprint:
        same = tls.fingerprint == fingerprint
        return "" if same else f"the site has the fingerprint {tls.fingerprint}"
    try:
        context = ssl.create_default_context(cafile=str(tls.ca) if tls.ca else DEFAULT_CA_BUNDLE_PATH)
        await _shake_hands(*place, context)
    except (OSError, TimeoutError) as error:
        return _words(error)
    return ""


def _fingerprint(der: bytes) -> str:
    return hashlib.sha256(der).digest().hex(":").upper()


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {_TIMEOUT_S:.0f} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return sanitise(error.verify_message)
    return cause_words(error)
