"""The main job, shown: five versions of a model on a real control plane. `python -m tests.demo`.

    model_server.py  a scikit-learn model behind the Open Inference Protocol, with faults on request
    load.py          open-loop traffic, as a process of its own, with a record of every second and failure
    stage.py         what a demonstration or an end-to-end test needs: cluster, operator, traffic, waiting
    manifests.py     the resources that are applied
    timeline.py      the ModelDeployment's status as lines for people
    story.py         the versions, one after another, and what each has to come to
    report.py        outcomes, the table and build/demo/report.json

Nothing of Serin's is imported here but its API's names: the demo sees what a user sees.
"""
