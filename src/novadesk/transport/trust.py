"""Whom TLS trusts: the system's store, and a bundle of the person's own on top."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from novadesk.errors import KnownError, Reason
from novadesk.text import Text


@dataclass(frozen=True, slots=True)
class Trust:
    """TLS contexts of a client that trust the same: one offers HTTP/2 only, one is for the way to a proxy."""

    service: ssl.SSLContext
    proxy: ssl.SSLContext


def make_trust(ca_bundle: str = "") -> Trust:
    """Return whom to trust. Reads files, so call it on a worker thread.

    Args:
        ca_bundle: PEM file trusted besides the system's store, or empty.

    Raises:
        KnownError: `TLS_REFUSED` when the bundle is missing or holds no certificate.
    """
    service = _make_context(ca_bundle)
    service.set_alpn_protocols(["h2"])
    return Trust(service=service, proxy=_make_context(ca_bundle))


def _make_context(ca_bundle: str) -> ssl.SSLContext:
    import truststore

    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_bundle:
        try:
            context.load_verify_locations(cafile=Path(ca_bundle).expanduser())
        except (OSError, ssl.SSLError) as error:
            raise KnownError(
                Reason.TLS_REFUSED,
                "The certificate bundle {file} is missing or holds no certificate.",
                "Set AWS_CA_BUNDLE or [backend] ca_bundle to a PEM file, or leave it empty.",
                file=str(ca_bundle),
            ) from error
    return context


def refusal(host: str, error: ssl.SSLError) -> KnownError:
    """Return the error for a TLS handshake that failed, naming the problem with the certificate."""
    if isinstance(error, ssl.SSLCertVerificationError):
        problem = error.verify_message.rstrip(".") if error.verify_message else Text("it cannot be verified")
        return KnownError(
            Reason.TLS_REFUSED,
            "The certificate of {host} is not trusted: {why}.",
            "If your network inspects traffic, set AWS_CA_BUNDLE to its certificate; otherwise check the clock.",
            host=host,
            why=problem,
        )
    if error.reason and "NO_APPLICATION_PROTOCOL" in error.reason:
        return no_http2(host)
    return KnownError(
        Reason.TLS_REFUSED,
        "{host} refused the encrypted connection ({why}).",
        "Check the address, and whether a proxy or firewall stands in between.",
        host=host,
        why=error.reason or Text("no reason given"),
    )


def no_http2(host: str) -> KnownError:
    """Return the error for a server that does not agree on HTTP/2."""
    return KnownError(
        Reason.TLS_REFUSED,
        "{host} does not speak HTTP/2, which live speech needs.",
        "Check the address; a proxy that inspects traffic must let HTTP/2 through.",
        host=host,
    )
