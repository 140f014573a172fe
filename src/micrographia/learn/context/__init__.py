"""The context network: what it is shown, how it is trained, calibrated and described."""
