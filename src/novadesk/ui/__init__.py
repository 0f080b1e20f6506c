"""Qt widgets: state in, intents out."""
