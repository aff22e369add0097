"""What is known of each verb, by subject; `model.verbs` puts it together."""
