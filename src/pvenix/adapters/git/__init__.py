"""The fleet's repository. Nothing is imported here, so that only who needs Git loads it."""
