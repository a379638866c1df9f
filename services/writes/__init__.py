"""The write side: what may be written, by whom, and each verb that does it.

A `Record` declares what a client may set of a table. `changes` creates, updates, deletes and restores rows of any
record; the modules named after what they hold (`sites`, `people`, ...) add its rules and its further verbs. All take
a `Writing`: the transaction, and who writes. Whoever opens the transaction commits it: a verb is whole or not at all.
"""
