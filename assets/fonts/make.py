#!/usr/bin/env python3
"""Makes the two Inter files beside this script from Debian's `fonts-inter` (needs `fonttools`).

Digits become the font's own tabular ones, so that columns of numbers line up without a renderer that
can switch font features; the rest is a subset: Latin, Greek, Cyrillic, punctuation, arrows, mathematics.
"""
import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

SOURCE = Path("/usr/share/fonts/opentype/inter")
RANGES = [
    (0x0020, 0x007E), (0x00A0, 0x024F), (0x0300, 0x036F), (0x0370, 0x03FF), (0x0400, 0x045F),
    (0x0490, 0x0491), (0x1E00, 0x1EFF), (0x2000, 0x206F), (0x2070, 0x209C), (0x20A0, 0x20BF),
    (0x2100, 0x214F), (0x2150, 0x218B), (0x2190, 0x21FF), (0x2200, 0x22FF), (0x2300, 0x23FF),
    (0x2500, 0x257F), (0x25A0, 0x25FF), (0x2600, 0x26FF), (0x2700, 0x27BF),
]
DIGITS = {f"uni{code:04X}" for code in range(0x30, 0x3A)}


def tabular(font: TTFont) -> dict[str, str]:
    gsub = font["GSUB"].table
    out: dict[str, str] = {}
    for record in gsub.FeatureList.FeatureRecord:
        if record.FeatureTag != "tnum":
            continue
        for index in record.Feature.LookupListIndex:
            for table in gsub.LookupList.Lookup[index].SubTable:
                table = getattr(table, "ExtSubTable", table)
                out.update(getattr(table, "mapping", {}))
    return out


def make(name: str) -> None:
    font = TTFont(SOURCE / f"{name}.otf")
    mapping = tabular(font)
    for table in font["cmap"].tables:
        for code, glyph in list(table.cmap.items()):
            if 0x30 <= code <= 0x39:
                table.cmap[code] = mapping.get(glyph, glyph)
    digits = set(mapping[g] for g in mapping if g in DIGITS)
    widest = max(font["hmtx"][glyph][0] for glyph in digits)
    for glyph in digits:  # some weights are off by rounding
        font["hmtx"][glyph] = (widest, font["hmtx"][glyph][1])
    options = subset.Options()
    options.layout_features = ["kern", "mark", "mkmk", "ccmp", "locl"]
    options.name_IDs = ["*"]
    options.notdef_outline = True
    options.hinting = True
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[c for first, last in RANGES for c in range(first, last + 1)])
    subsetter.subset(font)
    target = Path(__file__).parent / f"{name}.otf"
    font.save(target)
    cmap, widths = font.getBestCmap(), font["hmtx"]
    advances = {widths[cmap[c]][0] for c in range(0x30, 0x3A)}
    print(target.name, target.stat().st_size, "bytes,", len(cmap), "characters, digit advances", advances)
    if len(advances) != 1:
        sys.exit("the digits are not tabular")


for weight in ["Inter-Regular", "Inter-SemiBold"]:
    make(weight)
