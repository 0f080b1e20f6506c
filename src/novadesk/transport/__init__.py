"""Links: event payloads in and out, and honest reasons for closing."""
