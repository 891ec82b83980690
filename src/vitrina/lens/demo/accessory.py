"""Outlines of shoes, bags and hats. Pure: each takes a design's `cut`, six numbers from 0 to 1, to marks in order."""

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
    box,
    curve,
    ellipse,
    line,
    mirrored,
)


def sneakers(cut: Cut) -> list[Mark]:
    high, sole = 0.12 * cut[0], 0.05 + 0.05 * cut[1]
    upper = curve(
        [
            (0.12, 0.62),
            (0.1, 0.45 - high),
            (0.17, 0.36 - high),
            (0.33, 0.34 - high),
            (0.42, 0.4),
            (0.6, 0.5),
            (0.8, 0.54),
            (0.91, 0.6),
            (0.92, 0.67),
            (0.86, 0.68),
            (0.2, 0.68),
            (0.12, 0.68),
        ]
    )
    marks: list[Mark] = [Area(upper, CLOTH), Area(ellipse(0.25, 0.36 - high, 0.095, 0.028), DARK)]
    marks.append(
        Area(
            curve([(0.74, 0.535), (0.86, 0.55), (0.925, 0.61), (0.925, 0.68), (0.76, 0.68)]),
            SECOND if cut[2] > 0.4 else MAIN,
        )
    )
    marks.append(
        Area(
            curve([(0.115, 0.5), (0.11, 0.4 - high), (0.17, 0.37 - high), (0.2, 0.52), (0.14, 0.62)]),
            ACCENT if cut[3] > 0.4 else SECOND,
        )
    )
    for number in range(5):
        x, y = 0.37 + 0.062 * number, 0.385 + 0.036 * number - high * (1 - number / 4) * 0.6
        marks.append(Line(line((x, y), (x + 0.055, y + 0.075)), LIGHT, 0.016))
    marks += _side_stripe(cut)
    marks.append(
        Area(
            curve(
                [
                    (0.1, 0.66),
                    (0.18, 0.665),
                    (0.5, 0.675),
                    (0.86, 0.665),
                    (0.93, 0.655),
                    (0.95, 0.68),
                    (0.93, 0.69 + sole),
                    (0.86, 0.695 + sole),
                    (0.5, 0.695 + sole),
                    (0.18, 0.695 + sole),
                    (0.1, 0.69 + sole),
                    (0.08, 0.68),
                ]
            ),
            LIGHT if cut[4] < 0.7 else ACCENT,
        )
    )
    if cut[5] > 0.5:
        marks.append(Line(line((0.09, 0.68 + sole / 2), (0.94, 0.68 + sole / 2)), SECOND, 0.012))
    return marks


def _side_stripe(cut: Cut) -> list[Mark]:
    if cut[5] < 0.35:
        return [Line(line((0.3 + 0.06 * n, 0.64), (0.36 + 0.06 * n, 0.5)), ACCENT, 0.025) for n in range(3)]
    if cut[5] < 0.7:
        return [Area(curve([(0.25, 0.6), (0.45, 0.6), (0.66, 0.5), (0.46, 0.64), (0.32, 0.66)]), ACCENT)]
    return []


def boots(cut: Cut) -> list[Mark]:
    top, heel = 0.1 + 0.3 * cut[0], 0.03 + 0.08 * cut[1]
    leg = curve(
        [(0.28, top), (0.56, top), (0.55, 0.5), (0.64, 0.6), (0.82, 0.66), (0.86, 0.76), (0.27, 0.77), (0.26, 0.5)]
    )
    marks: list[Mark] = [Area(leg, CLOTH)]
    marks.append(
        Area(
            line((0.26, 0.75), (0.87, 0.75), (0.88, 0.8), (0.46, 0.8), (0.44, 0.8 + heel), (0.27, 0.8 + heel)),
            DARK if cut[2] < 0.6 else ACCENT,
        )
    )
    if cut[3] > 0.5:
        marks += [Line(line((0.5, y), (0.6, y + 0.02)), LIGHT, 0.012) for y in np.linspace(top + 0.06, 0.56, 6)]
    else:
        marks.append(Line(line((0.42, top + 0.02), (0.42, 0.68)), DARK, 0.008))
    if cut[4] > 0.5:
        marks += [Area(box(0.25, 0.55, 0.57, 0.6), ACCENT), Area(box(0.38, 0.54, 0.45, 0.61, 0.01), LIGHT)]
    if cut[5] > 0.5:
        marks.append(Area(box(0.255, top - 0.02, 0.585, top + 0.06, 0.03), SECOND))
    return marks


def handbag(cut: Cut) -> list[Mark]:
    wide, top, lean = 0.24 + 0.12 * cut[0], 0.4 + 0.08 * cut[1], 0.08 * cut[2]
    body = curve(
        [
            (0.5 - wide + lean, top),
            (0.5 + wide - lean, top),
            (0.5 + wide, 0.8),
            (0.5 + wide - 0.05, 0.86),
            (0.5 - wide + 0.05, 0.86),
            (0.5 - wide, 0.8),
        ],
        steps=5,
    )
    marks: list[Mark] = [
        Line(ellipse(0.5, top + 0.02, wide * (0.45 + 0.3 * cut[3]), 0.16 + 0.14 * cut[4], 180, 360), SECOND, 0.028),
        Area(body, CLOTH),
    ]
    if cut[3] > 0.45:
        flap = curve(
            [
                (0.5 - wide + lean, top),
                (0.5 + wide - lean, top),
                (0.5 + wide * 0.8, top + 0.2),
                (0.5, top + 0.26),
                (0.5 - wide * 0.8, top + 0.2),
            ]
        )
        marks += [Area(flap, SECOND), Line(flap, DARK, 0.005), Dot(0.5, top + 0.23, 0.026, ACCENT)]
    else:
        marks += [
            Line(line((0.5 - wide + lean, top + 0.04), (0.5 + wide - lean, top + 0.04)), ACCENT, 0.016),
            Area(box(0.44, 0.58, 0.56, 0.66), ACCENT),
        ]
    if cut[5] > 0.5:
        marks.append(Line(line((0.5 - wide + 0.02, 0.8), (0.5 + wide - 0.02, 0.8)), SECOND, 0.02))
    return marks


def backpack(cut: Cut) -> list[Mark]:
    wide, top = 0.22 + 0.06 * cut[0], 0.14 + 0.06 * cut[1]
    strap = Area(
        curve(
            [(0.5 + wide - 0.03, 0.3), (0.5 + wide + 0.06, 0.45), (0.5 + wide + 0.05, 0.75), (0.5 + wide - 0.02, 0.82)]
        ),
        DARK,
    )
    marks: list[Mark] = [strap, mirrored(strap), Line(ellipse(0.5, top + 0.01, 0.07, 0.07, 180, 360), SECOND, 0.022)]
    marks.append(
        Area(
            curve(
                [
                    (0.5 - wide, 0.32),
                    (0.5 - wide * 0.8, top + 0.02),
                    (0.5, top),
                    (0.5 + wide * 0.8, top + 0.02),
                    (0.5 + wide, 0.32),
                    (0.5 + wide, 0.85),
                    (0.5, 0.89),
                    (0.5 - wide, 0.85),
                ]
            ),
            CLOTH,
        )
    )
    pocket = box(0.5 - wide * 0.8, 0.56, 0.5 + wide * 0.8, 0.84, 0.04)
    marks += [Area(pocket, SECOND if cut[2] > 0.4 else CLOTH), Line(pocket, DARK, 0.006)]
    marks.append(Line(line((0.5 - wide * 0.75, 0.61), (0.5 + wide * 0.75, 0.61)), ACCENT, 0.012))
    if cut[3] > 0.4:
        marks.append(Line(ellipse(0.5, 0.36, wide * 0.9, 0.16, 180, 360), ACCENT, 0.012))
    if cut[4] > 0.5:
        marks += [
            Line(line((0.5 - wide / 2, 0.46), (0.5 - wide / 2, 0.6)), ACCENT, 0.02),
            Line(line((0.5 + wide / 2, 0.46), (0.5 + wide / 2, 0.6)), ACCENT, 0.02),
        ]
    return marks


def cap(cut: Cut) -> list[Mark]:
    high = 0.24 + 0.06 * cut[0]
    dome = curve(
        [
            (0.16, 0.6),
            (0.18, 0.44),
            (0.32, 0.6 - high),
            (0.5, 0.57 - high),
            (0.66, 0.6 - high),
            (0.76, 0.45),
            (0.77, 0.6),
            (0.5, 0.63),
        ]
    )
    brim = curve([(0.5, 0.6), (0.76, 0.57), (0.95, 0.63 + 0.06 * cut[1]), (0.9, 0.68), (0.7, 0.655), (0.5, 0.65)])
    marks: list[Mark] = [Area(dome, CLOTH), Area(brim, SECOND if cut[2] > 0.4 else MAIN), Line(brim, DARK, 0.005)]
    marks += [
        Line(curve([(0.48, 0.57 - high), (0.58 + 0.04 * cut[3], 0.45), (0.6, 0.62)], closed=False), DARK, 0.006),
        Line(curve([(0.46, 0.57 - high), (0.33, 0.45), (0.3, 0.62)], closed=False), DARK, 0.006),
    ]
    marks.append(Dot(0.48, 0.575 - high, 0.022, ACCENT if cut[4] > 0.4 else SECOND))
    return marks


def hat(cut: Cut) -> list[Mark]:
    if cut[5] < 0.5:
        dome = curve(
            [(0.24, 0.68), (0.24, 0.46), (0.36, 0.3), (0.5, 0.26), (0.64, 0.3), (0.76, 0.46), (0.76, 0.68), (0.5, 0.7)]
        )
        marks: list[Mark] = [
            Area(dome, CLOTH),
            Area(box(0.225, 0.6 - 0.05 * cut[0], 0.775, 0.75, 0.03), SECOND if cut[1] > 0.4 else MAIN),
        ]
        marks += [Line(line((x, 0.62), (x, 0.74)), DARK, 0.004) for x in np.linspace(0.25, 0.75, 15)]
        if cut[2] > 0.4:
            marks += [Dot(0.5, 0.25, 0.07 + 0.02 * cut[3], ACCENT)]
        return marks
    wide = 0.34 + 0.1 * cut[0]
    crown = curve(
        [
            (0.3, 0.64),
            (0.32, 0.42),
            (0.4, 0.32 - 0.05 * cut[1]),
            (0.5, 0.36),
            (0.6, 0.32 - 0.05 * cut[1]),
            (0.68, 0.42),
            (0.7, 0.64),
        ]
    )
    return [
        Area(ellipse(0.5, 0.65, wide, 0.075 + 0.04 * cut[2]), CLOTH),
        Area(crown, CLOTH),
        Area(box(0.3, 0.56, 0.7, 0.6 + 0.04 * cut[3], 0.01), ACCENT),
        Line(ellipse(0.5, 0.65, wide, 0.075 + 0.04 * cut[2], 10, 170), DARK, 0.006),
    ]
