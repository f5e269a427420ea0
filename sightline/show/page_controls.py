"""The controls of a replay page, and the readings beside them."""

from __future__ import annotations

from sightline.show.replay import Replay

_ICONS = {
    "first": ("To the start", "M3 2v12h2V2zM13 2v12L6 8z"), "back": ("One step back", "M11 2v12L4 8z"),
    "forward": ("One step forward", "M5 2v12l7-6z"), "end": ("To the end", "M13 2v12h-2V2zM3 2v12l7-6z"),
}  # fmt: skip


def controls(replay: Replay) -> str:
    """Play, steps, slider, speed, and the numbers of the step that is shown."""

    def button(name: str) -> str:
        label, icon = _ICONS[name]
        return (
            f'<button type="button" id="{name}" aria-label="{label}" title="{label}">'
            f'<svg viewBox="0 0 16 16" aria-hidden="true"><path d="{icon}"/></svg></button>'
        )

    frames = replay.frames
    columns = (
        ("step", "Step", "", frames.step), ("epoch", "Epoch", "", frames.epoch),
        ("batch", "Batch loss", "less", frames.batch), ("loss", "Loss", "", frames.loss),
        ("gap", "Gap", "", frames.gap), ("rate", "Learning rate", "less", frames.rate),
    )  # fmt: skip
    shown = [(key, name, kind) for key, name, kind, values in columns if any(v is not None for v in values)]
    of = f'<span class="whole"> of {frames.last:,}</span>'
    now = "".join(
        f'<div class="{kind}"><dt>{name}</dt><dd><span id="now-{key}">–</span>{of if key == "step" else ""}</dd></div>'
        for key, name, kind in shown
    )
    speeds = "".join(
        f'<option value="{v}"{" selected" if v == 1 else ""}>{name}</option>'
        for v, name in ((0.25, "¼ ×"), (0.5, "½ ×"), (1, "1 ×"), (2, "2 ×"), (4, "4 ×"))
    )
    keys = (
        "Keys: <kbd>Space</kbd> plays and pauses, <kbd>←</kbd> <kbd>→</kbd> step, <kbd>Home</kbd> <kbd>End</kbd> jump,"
        " <kbd>+</kbd> <kbd>−</kbd> change the speed."
    )
    return (
        '<div id="controls" role="group" aria-label="Replay" hidden><div class="bar">'
        f'<button type="button" id="play">Play</button>{"".join(map(button, _ICONS))}'
        '<input type="range" id="slider" min="0" max="0" step="1" value="0" aria-label="Step of the training">'
        f'<select id="speed" aria-label="Speed">{speeds}</select></div>'
        f'<dl class="now">{now}</dl></div><p class="hidden" id="told" role="status"></p>'
        f'<p class="keys">{keys}</p>'
    )
