"""The results of `benchmarks.live` and `benchmarks.live_tax` as tables: `python -m benchmarks.live_table`."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.reads import RESULTS


def format_live_table(report: dict[str, Any]) -> str:
    """The results for live queries, in Markdown."""
    return _format_table(
        ("", "measured", "compared with", "aim"),
        [*_one_query_rows(report["one_query"]), *_many_query_rows(report["many_queries"])],
    )


def format_tax_table(report: dict[str, Any]) -> str:
    """The cost of the change log for writers, in Markdown."""
    rows = [
        (
            f"{case['table']}, {case['writers']} at once",
            f"{case['commits_per_second']['without']:,}",
            f"{case['commits_per_second']['with']:,}",
            f"{case['ratio']['with']:.2f}",
            f"{case['ratio']['with NOTIFY']:.2f}",
        )
        for case in report["cases"]
    ]
    return _format_table(
        ("(e) writers", "commits/s without", "with", "ratio", "ratio with NOTIFY, too"), rows
    )


def _one_query_rows(cases: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    for case in cases:
        ours, bare, of = case["ours"], case["bare"], f"(a) {case['subscribers']:,} sockets, one query"
        yield f"{of}: runs a write", f"{ours['runs_per_write']:g}", "", "1"
        yield f"{of}: write to last socket", f"{ours['to_last_ms']} ms", f"bare {bare['to_last_ms']} ms", ""
        each = f"{ours['cpu_us_per_message']} µs ({case['cpu_ratio']} of bare)"
        yield f"{of}: CPU a message", each, f"bare {bare['cpu_us_per_message']} µs", "1.5 of bare"
        kib = f"{ours['memory_each'] / 1024:.0f} KiB"
        yield f"{of}: memory a socket", kib, f"bare {bare['memory_each'] / 1024:.0f} KiB", "50 KiB"
        yield f"{of}: all connected, all answered", f"{ours['open_s']} s, {ours['all_told_s']} s", "", ""
        yield from _idle_rows(of, ours["idle"])


def _many_query_rows(seen: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    one, everything, nothing = seen["one"], seen["all"], seen["unselected"]
    of = f"{seen['queries']:,} queries on {seen['sockets']} sockets"
    yield f"(b) {of}: runs a write to one", f"{one['runs_per_write']:g}", "", "1"
    yield (
        f"(b) {of}: commit to socket, p50, p99",
        f"{one['p50_ms']} ms, {one['p99_ms']} ms",
        "",
        "20 ms, 75 ms",
    )
    cell = f"{everything['to_last_s']} s ({everything['cpu_s']} s of CPU)"
    yield f"(b) {of}: a write to all, to the last", cell, "", "2 s"
    runs = f"{nothing['runs']:g} runs, {nothing['cpu_share']:.0%} of a core"
    yield f"(c) {of}: {nothing['writes_s']:,} writes/s to an unselected column", runs, "", "0 runs"
    yield from _idle_rows(of, seen["idle"])


def _idle_rows(of: str, seen: dict[str, float]) -> Iterator[tuple[str, ...]]:
    of = of.removeprefix("(a) ")
    yield (
        f"(d) {of}, idle",
        f"{seen['statements_s']} statements/s, {seen['cpu_share']:.1%} of a core",
        "",
        "25/s",
    )


def _format_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Print both tables."""
    for name, table in (("live", format_live_table), ("live_tax", format_tax_table)):
        print(table(json.loads((RESULTS / f"{name}.json").read_text())), end="\n\n")


if __name__ == "__main__":
    main()
