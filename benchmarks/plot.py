"""Draws the results of `benchmarks.reads` as SVG: for each case the rates of the three servers."""

from typing import Any, Final

_COLORS: Final = {"floor": "#9aa5b1", "ours": "#2563eb", "PostGraphile": "#d97706"}
_BAR, _GAP, _GROUP, _LEFT, _WIDTH = 20, 4, 40, 20, 640


def draw_bars(report: dict[str, Any]) -> str:
    """An SVG of horizontal bars, one group a case; each bar is a rate, its length a share of the group's best."""
    parts: list[str] = []
    top = 30
    for case in report["cases"]:
        parts.append(_draw_text(_LEFT, top, case["case"], "bold"))
        best = max(case[name]["rate"] for name in _COLORS)
        for position, (name, color) in enumerate(_COLORS.items()):
            parts.append(
                _draw_bar(top + 10 + position * (_BAR + _GAP), name, case[name]["rate"], best, color)
            )
        top += 3 * (_BAR + _GAP) + _GROUP
    cores, when = report["machine"]["cores"], report["when"][:10]
    about = f"Answers a second, {report['connections']} connections, {cores} cores, {when}"
    parts.append(_draw_text(_LEFT, top, about, "normal"))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH + 200}" height="{top + 20}" '
        f'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


def _draw_text(x: float, y: float, text: str, weight: str) -> str:
    return f'<text x="{x}" y="{y}" font-weight="{weight}" fill="#111827">{text}</text>'


def _draw_bar(y: float, name: str, rate: float, best: float, color: str) -> str:
    width = max(2.0, (_WIDTH - 120) * rate / best)
    label = _draw_text(_LEFT + 100 + width + 8, y + 15, f"{rate:,.0f}", "normal")
    rectangle = f'<rect x="{_LEFT + 100}" y="{y}" width="{width:.0f}" height="{_BAR}" rx="3" fill="{color}"/>'
    return _draw_text(_LEFT, y + 15, name, "normal") + rectangle + label
