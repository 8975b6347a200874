"""What the pytest plugin does once it is asked for; the standard library and pytest alone."""
