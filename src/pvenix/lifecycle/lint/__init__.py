"""What does not belong into a fleet's files: secrets in clear, what is fetched unpinned, and doors left open."""
