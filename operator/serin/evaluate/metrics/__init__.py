"""What measures are, as functions of sums over rows: numbers in, `Summed` out; no files, no requests, no limits.

On whole data each is scikit-learn's or fairlearn's own to 1e-9, which a test holds for random data of each kind. Where
a measure is not a function of sums (an area under a curve) the resamples use its first-order expansion, named in place.
"""
