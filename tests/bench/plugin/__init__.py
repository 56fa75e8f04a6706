"""How long `kubectl serin` takes on a thousand ModelDeployments."""
