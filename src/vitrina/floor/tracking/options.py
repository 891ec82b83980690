"""What a tracker may be told; the defaults are one setting for all scenes and detectors."""

from __future__ import annotations

from dataclasses import dataclass, field

from vitrina.floor.rhythm import BRIDGE_S, PAUSE_S
from vitrina.floor.tracking.kalman import Walk


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerOptions:
    """One setting for all scenes and detectors. Costs are −2 log likelihood, evidence is log odds.

    walk: how people move and how well boxes are measured.
    gate: what a pair may cost.  tail: degrees of freedom of the Student-t; small forgives more.
    hazard_per_s: what being out of sight costs.
    lost_s: after this long out of sight a track ends.  shown_s: so long it is still reported, where it should be.
    solid: the least chance to be a person with which a box starts a track or brings one back.
    solid_s: a track that saw no solid box for so long does not live on weak ones.
    repeat_s: frames closer in time than this repeat each other's mistakes, so each is less evidence.
    confirm_hits, confirm_s, confirm_evidence: what a track needs to be confirmed: boxes, time, evidence.
    tentative_s: how long it may take for it.  tentative_lost_s: how long it may be out of sight meanwhile.
    ambiguity: how much a box that others want as well is mistrusted.
    same_iou, same_inside: a box that overlaps a tracked one so much, or lies so far inside it, starts no track.
    late_s: a frame older than the last by up to this is ignored; an older one means that the clock was set anew.
    pause_s: so long without any frame is a pause, unless frames have come as slowly before. Nobody looked, so nobody
      was out of sight.  bridge_s: tracks go on over a pause of up to this.  pause_gate: what a pair may cost more then.
      (PETS09-S2L1 without 3, 4, 5 and 6 seconds of it: 91, 83, 68 and 59 % of those who went on were the right ones.)
    """

    walk: Walk = field(default_factory=Walk)
    gate: float = 14.0
    tail: float = 4.0
    hazard_per_s: float = 0.5
    lost_s: float = 4.0
    shown_s: float = 0.3
    solid: float = 0.3
    solid_s: float = 0.6
    repeat_s: float = 1 / 7
    confirm_hits: int = 3
    confirm_s: float = 0.25
    confirm_evidence: float = 3.0
    tentative_s: float = 3.0
    tentative_lost_s: float = 0.6
    ambiguity: float = 3.0
    same_iou: float = 0.45
    same_inside: float = 0.8
    late_s: float = 2.0
    pause_s: float = PAUSE_S
    bridge_s: float = BRIDGE_S
    pause_gate: float = 3.0
