"""The write side: which columns may be written, by whom, and the operations.

A `WritableTable` declares the columns of a table that a client may set. `changes` creates, updates, deletes and
restores rows of any record. The modules named after their tables (`sites`, `people`, ...) add rules and
further operations. Each operation takes a `Writing`: the transaction and its viewer. The opener of the
transaction commits it, so that an operation takes effect as a whole or not at all.
"""
