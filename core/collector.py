"""Python's garbage collector, whose rounds halt everything."""

import gc


def keep_what_stands() -> None:
    """Takes what is there now out of its rounds: what lasts as long as the process need not be looked at again."""
    gc.collect()
    gc.freeze()
