"""How blocks look in Slack, nearly: for a picture in the documents, not for Slack."""

from __future__ import annotations

from html import escape, unescape
from typing import Any

STYLE = """
body { background: #fff; color: #1d1c1d; font: 15px/1.46 Lato, "Helvetica Neue",
  "Liberation Sans", Arial, sans-serif; margin: 0; padding: 20px 24px; width: 640px; }
.who { align-items: center; display: flex; font-weight: 900; gap: 8px; }
.app { background: #dddddd; border-radius: 2px; color: #616061; font-size: 10px;
  font-weight: 400; padding: 1px 3px; }
.face { background: #1e3a8a; border-radius: 6px; color: #fff; display: grid;
  font-size: 18px; height: 36px; place-items: center; width: 36px; }
.text { margin-left: 44px; }
.header { font-size: 18px; font-weight: 900; margin: 8px 0; }
.section { margin: 8px 0; overflow-wrap: anywhere; white-space: pre-wrap; }
.fields { display: grid; gap: 4px 16px; grid-template-columns: 1fr 1fr; margin: 8px 0; }
.context { color: #616061; font-size: 12px; margin: 12px 0 0; }
.actions { display: flex; flex-wrap: wrap; gap: 8px; margin: 12px 0 0; }
.button { border: 1px solid #1d1c1d4d; border-radius: 4px; font-size: 13px;
  font-weight: 700; padding: 6px 12px; }
.primary { background: #007a5a; border-color: #007a5a; color: #fff; }
.danger { background: #e01e5a; border-color: #e01e5a; color: #fff; }
"""


def page(blocks: list[dict[str, Any]]) -> str:
    """Return a page that shows a message with these blocks."""
    shown = "\n".join(map(_block, blocks))
    return (
        f'<!DOCTYPE html><meta charset="utf-8"><style>{STYLE}</style>'
        '<div class="who"><span class="face">✓</span>Countersign'
        f'<span class="app">APP</span></div><div class="text">{shown}</div>'
    )


def _block(block: dict[str, Any]) -> str:
    match block["type"]:
        case "actions":
            inside = "".join(map(_button, block["elements"]))
        case "context":
            inside = "".join(map(_text, block["elements"]))
        case _ if "fields" in block:
            cells = "".join(f"<div>{_text(field)}</div>" for field in block["fields"])
            return f'<div class="fields">{cells}</div>'
        case _:
            inside = _text(block["text"])
    return f'<div class="{block["type"]}">{inside}</div>'


def _button(button: dict[str, Any]) -> str:
    style = button.get("style", "")
    return f'<span class="button {style}">{_text(button["text"])}</span>'


def _text(text: dict[str, Any]) -> str:
    shown = escape(unescape(text["text"]))
    if text["type"] == "mrkdwn" and shown.startswith("*") and shown.endswith("*"):
        return f"<b>{shown[1:-1]}</b>"
    return shown
