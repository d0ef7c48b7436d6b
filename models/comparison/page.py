from typing import Any


def render_comparison(figures: Any) -> str:
    return ""
