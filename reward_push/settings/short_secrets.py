"""Secrets that are accepted and should not be: so short that they could be found by trying."""

from .model import Settings

SHORT = 16
"""Characters. Random ones of 64 kinds, as ``openssl rand -base64`` makes them, then have 96 bits."""


def short_secrets(settings: Settings) -> list[str]:
    """Return the names of the settings whose secrets are shorter than :data:`SHORT` characters."""
    secrets = {"backend_key": settings.backend_key}
    if settings.cluster is not None:
        secrets["cluster_secret"] = settings.cluster.secret
    return [name for name, secret in secrets.items() if secret is not None and len(secret) < SHORT]
