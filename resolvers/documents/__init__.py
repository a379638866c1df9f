"""Documents: parsed and validated once, kept by their text; subscriptions as what they are run as."""
