"""How the operator does with a thousand ModelDeployments, and with two hundred rollouts at once."""
