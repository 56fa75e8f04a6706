"""Which rule errs how often: the same simulated traffic for Serin's test and for what users have today."""
