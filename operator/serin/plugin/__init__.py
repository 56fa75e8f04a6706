"""What `kubectl serin` says: objects of a cluster or of files go in, small frozen records and renderables come out.

What belongs here: reading raw objects lightly (no pydantic for what the API server has checked already), pure views of
them, and advice on manifests. What never does: a client, a clock, the terminal; `serin.cli` reads, takes the time once
and prints.

    raw          the leaves of a raw object; what is not there or makes no sense is None, never a success
    objects      the records
    reading      raw objects as records
    figures      numbers and times as people read them
    plain        records as JSON and YAML
    standing     where a ModelDeployment stands, in one word of a closed set
    looks, gates what all views share: tables, colours, both arms' numbers
    listing      `get`: one line a ModelDeployment
    overview     `status` of many: how many are where, and who needs a person
    status       `status` of one: revisions, stages, gates, what it waits for
    history      `history`: revisions and their decision records
    differences  `diff`: what two revisions differ in
    explain      `explain`: why a revision failed, or stands where it stands, with the numbers
    report, plot `report`: a page of its own with plots of the evidence
    projection   `plan`: how long a policy takes on some traffic
    card         `card`: a model card, in the order of Annex IV of the EU's AI Act; card_pages prints it
    aiming       acts of people: which revision and stage one is about, or that there is none
    acts         acts of people: the object, the answer to it, the right that is missing
    ending       `wait`: how a rollout ended
    manifests    `lint`: the API's rules, offline
    findings     `lint`: what was found, in order, and the exit code
    advice       `lint`: what the rules let pass and will not do what was meant
"""
