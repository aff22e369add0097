"""What outlives the window: where a person was, what they filtered and marked, and the hosts as they last were."""
