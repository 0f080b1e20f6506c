"""What lasts longer than a wire session: lifecycle, controller, and the one interface the window sees."""
