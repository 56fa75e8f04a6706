"""Warm-up: asks a candidate until its answers have settled, before any user does.

A program of its own (`serin warmup --config warmup.json`), run as a Job beside the evaluation. The first requests of a
model load weights, compile kernels and fill caches; whoever sends them waits. The operator imports nothing from here,
and nothing here knows a cluster.

    asking     what is sent: the user's request, or one made from the model's own metadata
    settling   when it is over: numbers in, an answer out
    program    sends, measures, and leaves the short answer
"""
