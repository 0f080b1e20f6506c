"""The local server: Bedrock's real wire on loopback."""
