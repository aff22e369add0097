"""Certificates that a client must not trust: self-signed, expired, of another name, or of another authority."""

from __future__ import annotations

import datetime as dt
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pvenix_lab.faces.tls import CertificateFiles
    from pvenix_lab.site.core import Site

_YEAR = dt.timedelta(days=365)


class Impostors:
    """TLS contexts by kind, made when first shown; `choose` is the server's callback at every handshake."""

    def __init__(self, site: Site, files: CertificateFiles) -> None:
        self._site = site
        self._files = files
        self._contexts: dict[str, ssl.SSLContext] = {}

    def choose(self, handshake: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """Show another certificate while the fault holds; called with or without a name (SNI)."""
        del name, context
        fault = self._site.faults.peek("tls")
        if fault is not None:
            kind = fault.text("certificate")
            if kind not in self._contexts:
                self._contexts[kind] = self._context(kind)
            handshake.context = self._contexts[kind]

    def _context(self, kind: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with tempfile.NamedTemporaryFile(suffix=".pem") as both:  # the ssl module loads keys from files only
            both.write(pem + self._certificate(kind, key).public_bytes(serialization.Encoding.PEM))
            both.flush()
            context.load_cert_chain(both.name)
        return context

    def _certificate(self, kind: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        """The lab's own certificate with one thing wrong."""
        genuine = x509.load_pem_x509_certificate(self._files.certificate.read_bytes())
        authority, signer = self._authority(), self._authority_key()
        issuer = authority.subject
        if kind == "self-signed":
            issuer, signer = genuine.subject, key
        elif kind == "other-ca":
            issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Somebody's CA")])
            signer = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        ends = now - dt.timedelta(days=1) if kind == "expired" else now + _YEAR
        builder = (
            x509.CertificateBuilder()
            .subject_name(genuine.subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _YEAR)
            .not_valid_after(ends)
        )
        names = genuine.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        shown = x509.SubjectAlternativeName([x509.DNSName("pve.example.org")]) if kind == "wrong-name" else names
        return (
            builder.add_extension(shown, critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
            .sign(signer, hashes.SHA256())
        )

    def _authority(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self._files.ca.read_bytes())

    def _authority_key(self) -> ec.EllipticCurvePrivateKey:
        found = serialization.load_pem_private_key(Path(self._files.ca_key).read_bytes(), password=None)
        if not isinstance(found, ec.EllipticCurvePrivateKey):
            raise TypeError("the key of the lab's authority is not an elliptic curve key")
        return found
