"""The evaluation: asks a model rows whose answers are known, and says what it is worth before it gets traffic.

A program of its own (`serin evaluate --config evaluation.yaml`), run as a Job in the user's namespace: it reads files,
asks the endpoints of candidate and stable, and writes one report. The operator imports nothing from here, and nothing
here knows a cluster; what it needs is the extra `serin[evaluate]`.

    config    ->  reading, columns      the rows, in batches, each checked
              ->  protocols, asking     the models' answers to them
              ->  gathered              rows and answers as compact arrays
              ->  scopes, metrics       each measure of all rows, of slices and of groups
              ->  estimates             with its interval: resampling, and what rows that are unseen may hide
              ->  skew, snapshot        endpoint against artifact, data against those of the training
              ->  gates                 pass, fail, undecided
              ->  report, page, output  written once

Whatever goes wrong with data or endpoints has a name in `faults`, and is never a pass.
"""
