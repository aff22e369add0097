"""What a person wants to do, for the plan screen: it shows an intent and starts nothing else."""
