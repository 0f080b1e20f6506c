"""AWS's own program, as NovaDesk runs it and as people type it."""


def sign_in_command(profile: str) -> tuple[str, ...]:
    """Return the command line that signs a profile in again; empty for the default profile."""
    return ("aws", "sso", "login", *(("--profile", profile) if profile else ()))
