#!/usr/bin/env python3
"""Makes icon.svg and its PNG sizes: quantile curves that fan out, as `ui::icon::mark` draws them (needs `cairosvg`)."""
from pathlib import Path

import cairosvg

HERE = Path(__file__).parent
ENDS = [0.20, 0.36, 0.53, 0.72, 0.94]
COLORS = ["#47749F", "#5F92C4", "#84B3E3", "#AED0F3", "#DDECFC"]
GROUND = "#101A2A"
SIDE, INSET = 256, 54


def curve(end: float) -> str:
    inner = SIDE - 2 * INSET
    points = []
    for step in range(49):
        x = step / 48
        y = 0.02 + (end - 0.02) * x ** (0.9 + 2.2 * end)
        points.append(f"{INSET + x * inner:.1f},{SIDE - INSET - y * inner:.1f}")
    return "M" + " L".join(points)


paths = "\n".join(
    f'    <path d="{curve(end)}" stroke="{GROUND}" stroke-width="21"/>\n    <path d="{curve(end)}" stroke="{color}"/>'
    for end, color in zip(ENDS, COLORS)
)
svg = f"""<svg xmlns="http://www.w3.org/2000/svg" width="{SIDE}" height="{SIDE}" viewBox="0 0 {SIDE} {SIDE}">
  <title>Meshbench</title>
  <rect x="12" y="12" width="232" height="232" rx="52" fill="{GROUND}"/>
  <g fill="none" stroke-width="12" stroke-linecap="round" stroke-linejoin="round">
{paths}
  </g>
</svg>
"""
(HERE / "icon.svg").write_text(svg)
for size in [32, 64, 128, 256, 512]:
    cairosvg.svg2png(bytestring=svg.encode(), write_to=str(HERE / f"icon-{size}.png"), output_width=size, output_height=size)
