"""Reading what runs write: their events and logs as they grow, and the list of them."""
