"""The independent referee: is what stands at the sites in the end one of the outcomes that the rules allow?

It shares no code with `replication` (a test holds it to that), and knows nothing of stamps, clocks, messages or
positions. It is told the declared rules of a table, who wrote what and *what each author had before him*, and what the
sites show and have on record; it answers in words. Where the rules leave it open (two edits at once), any of the open
outcomes will do, as long as it is the same everywhere.

    history.py    what it is told
    rules.py      what each column rule allows
    existence.py  whether a row may, or must, be there
    records.py    what must be on record
    verdict.py    the whole verdict: `judge`
    model.py      a tiny model of sites, to try the referee on
"""
