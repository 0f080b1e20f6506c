"""The gateway: voice for people who hold no AWS keys."""
