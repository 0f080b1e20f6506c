"""TLS for the local server: a certificate authority of its own and a certificate of it, kept in the folder."""

import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from novadesk.errors import KnownError, Reason
from novadesk.files import replace_file

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
_CA_DAYS = 3650
_LEAF_DAYS = 397  # what Apple and browsers accept of a server's certificate at most
_RENEW_DAYS = 7
_BACKDATE = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFiles:
    """Where the certificates lie: `ca` is what a client has to trust; `chain` and `key` are the server's own."""

    ca: Path
    chain: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """Return the server's TLS context, offering h2 and http/1.1."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.chain, self.key)
        context.set_alpn_protocols(["h2", "http/1.1"])
        return context


def ensure_certificate(folder: Path, names: Sequence[str], now: datetime) -> CertificateFiles:
    """Return certificates that hold now for the local names and `names`; made or renewed where needed.

    The authority is kept as long as it is valid, so that clients need not be told anew of a renewed certificate.

    Args:
        folder: where the files lie; private keys get mode 0600.
        names: further host names or IP addresses, such as "bedrock-runtime.us-east-1.amazonaws.com".
        now: UTC time.

    Raises:
        KnownError: `PRACTICE_FAILED` when the files cannot be written, `BAD_INPUT` for a name that is none.
    """
    files = CertificateFiles(ca=folder / "ca.pem", chain=folder / "server.pem", key=folder / "server.key")
    wanted = tuple(_general_name(name) for name in dict.fromkeys((*LOCAL_NAMES, *names)))
    try:
        authority = _load(files.ca, folder / "ca.key")
        if authority is None or _ends_soon(authority[0], now):
            authority = _make_authority(now)
            _store(authority, files.ca, folder / "ca.key")
        leaf = _load(files.chain, files.key)
        if leaf is None or not _fits(leaf[0], authority[0], wanted, now):
            _store(_make_leaf(authority, wanted, now), files.chain, files.key)
    except OSError as error:
        raise KnownError(
            Reason.PRACTICE_FAILED,
            "The certificate of the local server cannot be written.",
            f"Make sure that {folder} is writable.",
        ) from error
    return files


type _Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _load(certificate_file: Path, key_file: Path) -> _Pair | None:
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    except (FileNotFoundError, ValueError, TypeError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        return None
    return certificate, key


def _store(pair: _Pair, certificate_file: Path, key_file: Path) -> None:
    certificate, key = pair
    replace_file(
        key_file,
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    replace_file(certificate_file, certificate.public_bytes(serialization.Encoding.PEM))


def _ends_soon(certificate: x509.Certificate, now: datetime) -> bool:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return now < begins or now > ends - timedelta(days=_RENEW_DAYS)


def _fits(
    leaf: x509.Certificate, authority: x509.Certificate, wanted: Sequence[x509.GeneralName], now: datetime
) -> bool:
    if _ends_soon(leaf, now):
        return False
    try:
        leaf.verify_directly_issued_by(authority)
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return set(names) == set(wanted)


def _make_authority(now: datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "NovaDesk local server CA")])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        _begin(name, name, key, now, _CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return builder.sign(key, hashes.SHA256()), key


def _make_leaf(authority: _Pair, names: Sequence[x509.GeneralName], now: datetime) -> _Pair:
    ca, ca_key = authority
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "NovaDesk local server")])
    days = min(_LEAF_DAYS, (ca.not_valid_after_utc - now).days)
    builder = (
        _begin(name, ca.subject, key, now, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    )
    return builder.sign(ca_key, hashes.SHA256()), key


def _begin(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + timedelta(days=days))
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError as error:
        raise KnownError(
            Reason.BAD_INPUT,
            "A name for the certificate is not a host name.",
            "Give names in plain ASCII, such as localhost.",
        ) from error
