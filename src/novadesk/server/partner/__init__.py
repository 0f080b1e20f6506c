"""The practice partner: listens, thinks, speaks, with no account."""
