"""What a certificate file says, for those who watch it: until when it holds, and whose it is."""

from datetime import datetime
from pathlib import Path

from cryptography import x509

from replication.errors import UsageError


def expires_at(path: Path) -> datetime:
    """The end (UTC) of the first certificate in a PEM file: a site's own (``keys.certificate``) or the authority's."""
    return read_certificate(path).not_valid_after_utc


def read_certificate(path: Path) -> x509.Certificate:
    """The first certificate in a PEM file."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except FileNotFoundError as fault:
        raise UsageError(f"the certificate {path} is missing: python -m deploy.certificates makes it") from fault
    except ValueError as fault:
        raise UsageError(f"{path} holds no certificate: remove it, then python -m deploy.certificates") from fault
