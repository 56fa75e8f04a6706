"""Two hundred revisions of one ModelDeployment: what they leave in the API server and in the operator's memory."""
