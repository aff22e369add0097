"""What `pvenix plan` finds and `pvenix apply` does: desired, recorded and actual, compared for every host."""
