"""What the tests stand on: a private desktop and the checks that nothing leaks."""
