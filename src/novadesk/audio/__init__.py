"""The only package that knows sound."""
