"""The SQL of reads: one level of an answer, its filters, order, page and cursors, and the access to rows."""
