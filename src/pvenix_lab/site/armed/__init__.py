"""The table of armed faults: it knows neither the site nor the faults, so that everything may ask it."""
