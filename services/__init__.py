"""Tumen: a streaming news monitor for Russia - North Korea arms ties.

The pipeline, as pseudo-code::

    for feed in poller.due(now):                       # feeds, feed-state, feed-seen
        outcome = fetch(feed)                          # conditional GET behind the address gate
        state, seen, stories, events = decide(outcome) # pure; one transaction writes all four
    for story in stories:
        verdict = classify(story)                      # flagged? who claims what, the words that prove it, what is named
    for verdict in verdicts:
        storyline, alerts = correlate(verdict)         # forty reprints, one storyline
    for alert in alerts:
        deliveries = route(alert, subscribers)         # one INTENT each, in the ledger
        send(deliveries)                               # retried until settled

    desk.show(alerts)                                  # a page, an API, a live stream

Every arrow is a topic on the bus (``services.bus``: SQLite on one machine, Kafka on several), every message a model in
``schemas``; every service offers ``drain(now)`` and ``next_wakeup()``. ``bootstrap`` wires them; ``runner`` runs them
live, ``driver`` plays a virtual day (``demo``) from a tape (``replay``). What the classifier knows of the subject and its
languages is data (``classifier/data``); ``training``, beside ``services``, learns its weights.
"""

__version__ = "0.1.0"
