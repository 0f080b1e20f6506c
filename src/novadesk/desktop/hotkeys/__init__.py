"""Global push-to-talk keys, one contract and a backend for each desktop."""
