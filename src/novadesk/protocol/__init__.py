"""Nova Sonic, sans-IO: the wire's events, order and limits; standard library only."""
