"""The emulated WAN: a TCP relay with a rate, a delay and a cut for each directed link.

1. A link FROM>TO carries FROM's bytes to TO on any connection, whoever opened it.
2. The rate counts TCP payload and is shared by all connections of the link.
3. A cut is silence: nothing is read, dropped or closed, and after healing the same connections go on.
   With mode `reset` the connections between the two sites are reset, and new ones are too.
4. Less than 10 s of line are in flight: what the line cannot carry stays with the sender.
"""
