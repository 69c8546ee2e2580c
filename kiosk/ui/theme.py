"""The one look of the terminal: dark for reading rooms, high in contrast, legible from a step away.

Contrast on the background is above 7:1 for text and above 4.5:1 for everything that means something (WCAG 2.2, 1.4.6).
"""

from textual.theme import Theme

NIGHT = Theme(
    name="night",
    dark=True,
    primary="#6cc4ff",
    secondary="#8fb3d9",
    accent="#ffd166",
    foreground="#f2f5f8",
    background="#0a0d12",
    surface="#121821",
    panel="#1c2530",
    success="#5fdd9d",
    warning="#ffc247",
    error="#ff8a80",
    text_alpha=1.0,
    variables={
        "block-cursor-background": "#6cc4ff",
        "block-cursor-foreground": "#0a0d12",
        "input-cursor-background": "#ffd166",
        "input-cursor-foreground": "#0a0d12",
        "input-selection-background": "#2f4b66",
        "border": "#6cc4ff",
        "border-blurred": "#33414f",
        "scrollbar": "#4a5b6c",
        "scrollbar-hover": "#6cc4ff",
        "scrollbar-active": "#6cc4ff",
        "scrollbar-background": "#121821",
        "scrollbar-background-hover": "#121821",
        "scrollbar-background-active": "#121821",
        "scrollbar-corner-color": "#121821",
        "muted": "#a9b6c3",
        "raised": "#26374a",
    },
)
