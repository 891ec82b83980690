"""Outlines of what is worn. Pure: each takes a design's `cut`, six numbers from 0 to 1, to marks in order."""

from __future__ import annotations

import numpy as np

from vitrina.lens.demo.shape import (
    ACCENT,
    CLOTH,
    DARK,
    LIGHT,
    MAIN,
    SECOND,
    Area,
    Cut,
    Dot,
    Line,
    Mark,
    both,
    box,
    curve,
    ellipse,
    line,
    mirrored,
)


def _top(cut: Cut, *, sleeve: float, length: float, wide: float) -> list[Mark]:
    """Body and sleeves. sleeve: 0 short, 1 to the wrist."""
    neck, hem = 0.075 + 0.03 * cut[2], wide + 0.05 * (cut[3] - 0.4)
    out, down = 0.11 + 0.06 * sleeve, 0.1 + 0.42 * sleeve
    body = both([(neck, 0.155), (0.2, 0.19), (wide + 0.005, 0.37), (hem, length), (0.1, length + 0.012)])
    arm = Area(
        line((0.69, 0.185), (0.71 + out, 0.2 + down), (0.71 + out - 0.085, 0.235 + down), (0.5 + wide, 0.4)), CLOTH
    )
    cuff = Area(
        line(
            (0.705 + out, 0.18 + down),
            (0.712 + out, 0.205 + down),
            (0.71 + out - 0.087, 0.24 + down),
            (0.706 + out - 0.088, 0.212 + down),
        ),
        SECOND if cut[4] > 0.5 else MAIN,
    )
    seam = Line(line((0.69, 0.19), (0.5 + wide, 0.4)), DARK, 0.004)
    return [
        arm,
        mirrored(arm),
        cuff,
        mirrored(cuff),
        Area(body, CLOTH),
        seam,
        Line(seam.points * np.array([-1, 1], np.float32) + np.array([1, 0], np.float32), DARK, 0.004),
    ]


def _neck(cut: Cut, deep: float) -> list[Mark]:
    wide = 0.08 + 0.03 * cut[2]
    if cut[5] > 0.6:
        opening = line((0.5 - wide, 0.15), (0.5, 0.2 + deep), (0.5 + wide, 0.15))
    else:
        opening = ellipse(0.5, 0.15, wide, 0.04 + deep, 0, 180)
    return [Area(opening, DARK), Line(opening, SECOND if cut[4] > 0.5 else MAIN, 0.018)]


def tee(cut: Cut) -> list[Mark]:
    return _top(cut, sleeve=0.35 * cut[0], length=0.72 + 0.13 * cut[1], wide=0.2 + 0.05 * cut[3]) + _neck(
        cut, 0.05 * cut[5]
    )


def sweatshirt(cut: Cut) -> list[Mark]:
    length = 0.76 + 0.06 * cut[1]
    marks = _top(cut, sleeve=0.85 + 0.15 * cut[0], length=length, wide=0.22 + 0.03 * cut[3]) + _neck(cut, 0.02)
    marks.append(Area(box(0.27, length - 0.03, 0.73, length + 0.02), SECOND if cut[4] > 0.5 else MAIN))
    if cut[2] > 0.5:
        marks.append(
            Area(curve([(0.36, 0.17), (0.38, 0.08), (0.5, 0.05), (0.62, 0.08), (0.64, 0.17), (0.5, 0.23)]), MAIN)
        )
        marks.append(Area(ellipse(0.5, 0.15, 0.085, 0.06), DARK))
        marks += [
            Line(line((0.46, 0.2), (0.455, 0.33)), LIGHT, 0.009),
            Line(line((0.54, 0.2), (0.545, 0.31)), LIGHT, 0.009),
        ]
        marks.append(Line(line((0.37, 0.7), (0.41, 0.58), (0.59, 0.58), (0.63, 0.7)), DARK, 0.007))
    return marks


def shirt(cut: Cut) -> list[Mark]:
    length = 0.78 + 0.08 * cut[1]
    marks = _top(cut, sleeve=round(cut[0]) * 0.9, length=length, wide=0.21 + 0.03 * cut[3])
    marks += [
        Line(line((0.5, 0.2), (0.5, length)), DARK, 0.005),
        Line(line((0.525, 0.2), (0.525, length)), DARK, 0.003),
    ]
    marks += [Dot(0.512, 0.26 + 0.085 * number, 0.008, LIGHT if cut[5] < 0.5 else ACCENT) for number in range(7)]
    collar = Area(line((0.41, 0.135), (0.5, 0.19), (0.47, 0.255), (0.385, 0.185)), SECOND if cut[4] > 0.6 else MAIN)
    marks += [Area(ellipse(0.5, 0.15, 0.085, 0.035), DARK), collar, mirrored(collar)]
    if cut[2] > 0.4:
        marks += [Area(box(0.56, 0.34, 0.66, 0.45), CLOTH), Line(box(0.56, 0.34, 0.66, 0.45), DARK, 0.004)]
    return marks


def jacket(cut: Cut) -> list[Mark]:
    length = 0.7 + 0.2 * cut[1]
    marks = _top(cut, sleeve=0.95, length=length, wide=0.23 + 0.03 * cut[3])
    marks.append(Line(line((0.5, 0.19), (0.5, length)), ACCENT if cut[5] > 0.5 else LIGHT, 0.012))
    if cut[2] < 0.35:
        lapel = Area(line((0.4, 0.14), (0.5, 0.42), (0.43, 0.36), (0.41, 0.3), (0.36, 0.28)), SECOND)
        marks += [Area(line((0.42, 0.15), (0.58, 0.15), (0.5, 0.4)), LIGHT), lapel, mirrored(lapel)]
    elif cut[2] < 0.7:
        marks += [Area(box(0.4, 0.1, 0.6, 0.19, 0.03), SECOND), Line(line((0.5, 0.1), (0.5, 0.19)), DARK, 0.006)]
    else:
        marks.append(
            Area(curve([(0.35, 0.18), (0.37, 0.08), (0.5, 0.04), (0.63, 0.08), (0.65, 0.18), (0.5, 0.24)]), SECOND)
        )
        marks.append(Area(ellipse(0.5, 0.15, 0.09, 0.06), DARK))
    if cut[4] < 0.4:
        rows = np.linspace(0.3, length - 0.06, 5)
        marks += [Line(line((0.29, float(y)), (0.71, float(y))), DARK, 0.007) for y in rows]
    else:
        marks += [
            Line(line((0.34, length - 0.2), (0.42, length - 0.13)), DARK, 0.012),
            Line(line((0.66, length - 0.2), (0.58, length - 0.13)), DARK, 0.012),
        ]
    return marks


def dress(cut: Cut) -> list[Mark]:
    waist, flare, hem = 0.11 + 0.03 * cut[3], 0.17 + 0.17 * cut[0], 0.76 + 0.18 * cut[1]
    straps = cut[2] < 0.4
    shoulder = (0.09, 0.1) if straps else (0.15, 0.13)
    skirt = curve([(waist, 0.42), ((waist + flare) / 2 + 0.02, 0.58), (flare, hem)], closed=False)[:-7]
    half = [
        (0.055, 0.1),
        shoulder,
        (0.145, 0.25),
        *[(float(x), float(y)) for x, y in skirt],
        (flare, hem),
        (0.0, hem + 0.015),
    ]
    marks: list[Mark] = []
    if not straps:
        out = 0.05 + 0.09 * cut[5]
        arm = Area(line((0.64, 0.12), (0.66 + out, 0.2 + 2 * out), (0.6 + out, 0.24 + 2 * out), (0.635, 0.27)), CLOTH)
        marks += [arm, mirrored(arm)]
    marks.append(Area(both(half), CLOTH))
    marks.append(Area(ellipse(0.5, 0.1, 0.06, 0.05 + 0.09 * cut[2], 0, 180), LIGHT))
    if cut[4] > 0.35:
        marks.append(Area(box(0.5 - waist - 0.012, 0.4, 0.5 + waist + 0.012, 0.44), ACCENT))
    if cut[5] > 0.6:
        marks.append(Area(both([(flare - 0.012, hem - 0.05), (flare, hem), (0, hem + 0.015)]), SECOND))
    return marks


def skirt(cut: Cut) -> list[Mark]:
    waist, flare, hem = 0.14, 0.2 + 0.19 * cut[0], 0.55 + 0.33 * cut[1]
    marks: list[Mark] = [Area(both([(waist, 0.2), (flare, hem), (flare / 2, hem + 0.02), (0, hem + 0.025)]), CLOTH)]
    if cut[2] > 0.5:
        shares = [float(one) for one in np.linspace(-0.8, 0.8, 3 + round(5 * cut[3]))]
        marks += [Line(line((0.5 + waist * one, 0.22), (0.5 + flare * one, hem)), DARK, 0.005) for one in shares]
    marks.append(Area(box(0.35, 0.16, 0.65, 0.215), ACCENT if cut[4] > 0.5 else SECOND))
    if cut[5] > 0.55:
        marks += [Dot(0.5, 0.27 + 0.07 * number, 0.011, LIGHT) for number in range(4)]
    return marks


def _legs(cut: Cut, hem: float, wide: float) -> list[Mark]:
    leg = Area(
        line((0.5, 0.13), (0.66, 0.13), (0.7, 0.36), (0.62 + wide, hem), (0.52 + 0.3 * wide, hem), (0.505, 0.42)),
        CLOTH,
    )
    marks: list[Mark] = [leg, mirrored(leg), Line(line((0.5, 0.18), (0.5, 0.41)), DARK, 0.006)]
    marks += [
        Line(line((0.56, 0.185), (0.64, 0.26)), DARK, 0.007),
        Line(line((0.44, 0.185), (0.36, 0.26)), DARK, 0.007),
    ]
    marks.append(Area(box(0.335, 0.11, 0.665, 0.17), SECOND if cut[4] > 0.5 else MAIN))
    marks.append(Dot(0.5, 0.14, 0.012, LIGHT))
    if cut[5] > 0.55:
        stripe = Line(line((0.668, 0.18), (0.69, 0.38), (0.61 + wide, hem)), ACCENT, 0.022)
        marks += [
            stripe,
            Line(stripe.points * np.array([-1, 1], np.float32) + np.array([1, 0], np.float32), ACCENT, 0.022),
        ]
    return marks


def trousers(cut: Cut) -> list[Mark]:
    marks = _legs(cut, 0.84 + 0.1 * cut[1], 0.02 + 0.1 * cut[0])
    if cut[2] > 0.6:
        pocket = Area(box(0.585, 0.5, 0.67, 0.61), SECOND)
        marks += [pocket, mirrored(pocket)]
    return marks


def shorts(cut: Cut) -> list[Mark]:
    moved = _legs(cut, 0.55 + 0.15 * cut[1], 0.07 + 0.05 * cut[0])
    grown: list[Mark] = [_scaled(mark, 1.3) for mark in moved]
    if cut[2] > 0.5:
        grown += [
            Line(line((0.47, 0.12), (0.45, 0.3)), LIGHT, 0.012),
            Line(line((0.53, 0.12), (0.55, 0.28)), LIGHT, 0.012),
        ]
    return grown


def _scaled(mark: Mark, share: float) -> Mark:
    """Larger or smaller, about a point near the top."""
    middle = np.array([0.5, 0.15], np.float32)
    if isinstance(mark, Dot):
        return Dot(0.5 + share * (mark.x - 0.5), 0.15 + share * (mark.y - 0.15), share * mark.radius, mark.ink)
    points = np.asarray(middle + share * (mark.points - middle), np.float32)
    return Area(points, mark.ink) if isinstance(mark, Area) else Line(points, mark.ink, mark.width)
