"""Puts the architecture on paper: igraph orders and routes; this module only gives boxes a size and a place.

The Sugiyama method of igraph runs three times: on the groups, which gives the bands of the drawing; inside each
group, which gives its rows; and on all parts in those rows, which gives the order in a row and a lane for every
arrow that passes it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean

import igraph

from virtci.rehearsal.report.architecture import Architecture, Link, Part
from virtci.rehearsal.report.facts import TIMES, cloud_name, facts_of, label_of

CHARACTER = 6.7
"""Width of a character of the drawing's monospaced face."""
LINE = 15
LONGEST = 38
NARROWEST = 128
SHOWN_NAMES = 4
PADDING = 14
TITLE = 30
HEAD = 22
GAP = 18
ROW_GAP = 44
BAND_GAP = 52
LANE = 8
MARGIN = 2


@dataclass
class Arrow:
    """The path of a link, with its reasons for those who point at it."""

    implied: bool
    title: str
    path: str


@dataclass
class Box:
    """A part with its texts and its place."""

    key: str
    stack: str
    label: str
    names: list[str]
    facts: list[str]
    details: str
    stacked: bool
    width: float
    height: float
    x: float = 0
    y: float = 0
    arrows: list[Arrow] = field(default_factory=list)
    """Those that leave it."""


@dataclass(frozen=True)
class Frame:
    """The frame around a group."""

    title: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Drawing:
    """Everything in its place."""

    width: float
    height: float
    frames: Sequence[Frame]
    boxes: Sequence[Box]


@dataclass(eq=False)
class Slot:
    """A place in a row: for a box, or for arrows to one target that pass the row together."""

    layer: int
    home: str
    """The group in which it is; a name of its own where arrows pass a band outside all groups."""
    width: float = LANE
    box: Box | None = None
    order: float = 0
    """Where igraph puts it in its row."""
    x: float = 0

    @property
    def middle(self) -> float:
        """The middle of its width."""
        return self.x + self.width / 2


@dataclass
class Column:
    """A group with its rows by layer, or a lane between groups."""

    group: str = ""
    rows: dict[int, list[Slot]] = field(default_factory=lambda: defaultdict(list))
    x: float = 0

    @property
    def slots(self) -> list[Slot]:
        """Everything in it."""
        return [slot for slots in self.rows.values() for slot in slots]

    @property
    def width(self) -> float:
        """The width of the widest row and of the frame, where there is one."""
        title = len(self.group) * CHARACTER
        return max(title, *map(_row_width, self.rows.values())) + (2 * PADDING if self.group else 0)


Rows = dict[int, tuple[float, float]]
"""Top and bottom of every row by its layer."""


@dataclass(frozen=True)
class Way:
    """The slots that an arrow connects and passes, from the top down."""

    link: Link
    slots: Sequence[Slot]
    downward: bool


@dataclass(frozen=True)
class Ranks:
    """Which band a group is in, and which layer of the whole drawing a part."""

    bands: Mapping[str, int]
    layers: Mapping[str, int]
    band_of_layer: Mapping[int, int]


def drawing(found: Architecture) -> Drawing:
    """The places of all frames, boxes and arrows."""
    ranks = _ranks(found)
    slots = {key: _slot(part, ranks) for key, part in found.parts.items()}
    ways = _ways(found, ranks, slots)
    bands = _bands(_ordered(slots.values(), ways), ranks)
    width = 2 * MARGIN + max((_band_width(columns) for columns in bands.values()), default=0)
    boxes = {key: slot.box for key, slot in slots.items() if slot.box}
    rows, height = _heights(boxes, ranks)
    for columns in bands.values():
        left = (width - _band_width(columns)) / 2
        for column in columns:
            _place(column, left, rows)
            left += column.width + GAP
    _draw_arrows(ways, boxes, rows)
    frames = [_frame(column) for columns in bands.values() for column in columns if column.group]
    return Drawing(width, height, frames, list(boxes.values()))


def _slot(part: Part, ranks: Ranks) -> Slot:
    box = _box(part)
    return Slot(ranks.layers[part.key], part.group, box.width, box)


def _box(part: Part) -> Box:
    alike = [part, *part.twins]
    names = [cloud_name(item) for item in alike]
    more = len(names) - SHOWN_NAMES
    shown = [*names[:SHOWN_NAMES], f"and {more} more"] if more > 0 else names
    texts, facts = [shortened(name) for name in shown], [shortened(fact) for fact in facts_of(part)]
    label = label_of(part.kind) if len(names) == 1 else f"{len(names)} {TIMES} {label_of(part.kind)}"
    longest = max(*map(len, [*texts, *facts]), len(label) + len(part.stack) + 4)
    kinds = sorted(Counter(label_of(element.kind) for item in alike for element in item.elements).items())
    resources = ", ".join(f"{number} {kind}" for kind, number in kinds)
    return Box(
        part.key, part.stack, label, texts, facts, stacked=len(names) > 1,
        details=f"{label} {', '.join(names)}, stack {part.stack}, in {part.group}; resources: {resources}",
        width=max(NARROWEST, longest * CHARACTER + 2 * PADDING),
        height=HEAD + LINE * (len(texts) + len(facts)) + PADDING,
    )  # fmt: skip


def shortened(text: str) -> str:
    """A text that fits into a box; the middle is left out, because names differ at their ends."""
    half = (LONGEST - 1) // 2
    return text if len(text) <= LONGEST else f"{text[:half]}…{text[-half:]}"


def _ranks(found: Architecture) -> Ranks:
    pairs = [(found.parts[link.source], found.parts[link.target]) for link in found.links]
    bands = _layered(list(found.groups), [(one.group, other.group) for one, other in pairs])
    rows: dict[str, int] = {}
    for keys in found.groups.values():
        rows |= _layered(list(keys), [(one.key, other.key) for one, other in pairs])
    layers: dict[str, int] = {}
    band_of_layer: dict[int, int] = {}
    for band in sorted(set(bands.values())):
        inside = [key for key, part in found.parts.items() if bands[part.group] == band]
        first = len(band_of_layer)
        layers |= {key: first + rows[key] for key in inside}
        band_of_layer |= dict.fromkeys(range(first, first + 1 + max(rows[key] for key in inside)), band)
    return Ranks(bands, layers, band_of_layer)


def _layered(names: list[str], pairs: Iterable[tuple[str, str]]) -> dict[str, int]:
    """The layer of each name when every arrow between them points down."""
    graph = _graph(names, {pair for pair in pairs if pair[0] != pair[1] and set(pair) <= set(names)})
    levels = [round(y) for _, y in graph.layout_sugiyama().coords]
    return {name: sorted(set(levels)).index(level) for name, level in zip(names, levels, strict=True)}


def _graph(names: list[str], pairs: Iterable[tuple[str, str]]) -> igraph.Graph:
    numbers = {name: number for number, name in enumerate(names)}
    edges = [(numbers[source], numbers[target]) for source, target in pairs]
    return igraph.Graph(len(names), edges, directed=True)


def _ways(found: Architecture, ranks: Ranks, slots: Mapping[str, Slot]) -> list[Way]:
    """The slots of every arrow. Arrows to one target share theirs, so that many read as few.

    The lanes are vertices of our own, because igraph 1.0 gives the bends of a graph in several pieces to wrong edges.
    """
    lanes: dict[tuple[str, bool, str, int], Slot] = {}
    ways = []
    for number, link in enumerate(found.links):
        downward = ranks.layers[link.source] < ranks.layers[link.target]
        upper, lower = (link.source, link.target) if downward else (link.target, link.source)
        groups = (found.parts[upper].group, found.parts[lower].group)
        passed = []
        for layer in range(ranks.layers[upper] + 1, ranks.layers[lower]):
            band = ranks.band_of_layer[layer]
            shared = link.target if downward else str(number)
            home = next((group for group in groups if ranks.bands[group] == band), f"\n{shared}{link.implied}")
            passed.append(lanes.setdefault((shared, link.implied, home, layer), Slot(layer, home)))
        ways.append(Way(link, (slots[upper], *passed, slots[lower]), downward))
    return ways


def _ordered(boxes: Iterable[Slot], ways: Iterable[Way]) -> list[Slot]:
    """All slots, with the order that igraph gives them."""
    pairs = list(dict.fromkeys(pair for way in ways for pair in pairwise(way.slots)))
    slots = list(dict.fromkeys((*boxes, *(slot for pair in pairs for slot in pair))))
    numbers = {slot: number for number, slot in enumerate(slots)}
    graph = igraph.Graph(len(slots), [(numbers[upper], numbers[lower]) for upper, lower in pairs], directed=True)
    layout = graph.layout_sugiyama(layers=[slot.layer for slot in slots], maxiter=1000)
    for slot, (order, _) in zip(slots, layout.coords, strict=True):
        slot.order = order
    return slots


def _bands(slots: Iterable[Slot], ranks: Ranks) -> dict[int, list[Column]]:
    """What stands beside each other in every band."""
    columns: dict[tuple[int, str], Column] = defaultdict(Column)
    for slot in slots:
        column = columns[ranks.band_of_layer[slot.layer], slot.home]
        column.rows[slot.layer].append(slot)
        column.group = slot.home if slot.box else column.group
    bands: dict[int, list[Column]] = defaultdict(list)
    for (band, _), column in sorted(columns.items(), key=lambda item: fmean(slot.order for slot in item[1].slots)):
        bands[band].append(column)
    return bands


def _row_width(slots: Sequence[Slot]) -> float:
    return sum(slot.width for slot in slots) + GAP * (len(slots) - 1)


def _band_width(columns: Sequence[Column]) -> float:
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)


def _heights(boxes: Mapping[str, Box], ranks: Ranks) -> tuple[Rows, float]:
    """Top and bottom of every row, and the height of all."""
    rows: Rows = {}
    y, before = float(MARGIN - ROW_GAP), None
    for layer, band in ranks.band_of_layer.items():
        y += ROW_GAP
        if band != before:
            y += TITLE if before is None else PADDING + BAND_GAP - ROW_GAP + TITLE
        before = band
        tallest = max((box.height for key, box in boxes.items() if ranks.layers[key] == layer), default=0)
        rows[layer] = (y, y + tallest)
        y += tallest
    return rows, y + PADDING + MARGIN


def _place(column: Column, left: float, rows: Rows) -> None:
    column.x = left
    for layer, slots in column.rows.items():
        x = left + (column.width - _row_width(slots)) / 2
        for slot in sorted(slots, key=lambda item: item.order):
            slot.x = x
            if slot.box:
                slot.box.x, slot.box.y = x, rows[layer][0]
            x += slot.width + GAP


def _frame(column: Column) -> Frame:
    boxes = [slot.box for slot in column.slots if slot.box]
    top, bottom = min(box.y for box in boxes), max(box.y + box.height for box in boxes)
    return Frame(column.group, column.x, top - TITLE, column.width, bottom - top + TITLE + PADDING)


def _draw_arrows(ways: Sequence[Way], boxes: Mapping[str, Box], rows: Rows) -> None:
    """Draws every link from port to port, first straight to the end of its row, so that it meets no neighbour."""
    ports = _ports(ways)
    for way in ways:
        upper, *lanes, lower = way.slots
        source, target = boxes[way.link.source], boxes[way.link.target]
        above = source if way.downward else target
        start, end = ports[upper, way.slots[1]], ports[lower, way.slots[-2]]
        points = [(start, above.y + above.height), (start, rows[upper.layer][1])]
        points += [(lane.middle, y) for lane in lanes for y in rows[lane.layer]]
        points.append((end, rows[lower.layer][0]))
        title = f"{source.names[0]} depends on {target.names[0]}: {'; '.join(way.link.reasons)}"
        source.arrows.append(Arrow(way.link.implied, title, _path(points if way.downward else points[::-1])))


def _ports(ways: Iterable[Way]) -> dict[tuple[Slot, Slot], float]:
    """Where arrows touch a box on the way to a neighbour: side by side, in the order of the neighbours."""
    sides: dict[tuple[Slot, str], set[Slot]] = defaultdict(set)
    for way in ways:
        sides[way.slots[0], "bottom"].add(way.slots[1])
        sides[way.slots[-1], "top"].add(way.slots[-2])
    return {
        (slot, neighbour): slot.x + slot.width * place / (len(neighbours) + 1)
        for (slot, _), neighbours in sides.items()
        for place, neighbour in enumerate(sorted(neighbours, key=lambda item: (item.middle, item.home)), 1)
    }


def _path(points: Sequence[tuple[float, float]]) -> str:
    """Upright at every point, so that arrows leave and enter boxes straight and pass rows in their lanes."""
    path = f"M{points[0][0]:.0f} {points[0][1]:.0f}"
    for (x, y), (to_x, to_y) in pairwise(points):
        half = (y + to_y) / 2
        path += f"C{x:.0f} {half:.0f} {to_x:.0f} {half:.0f} {to_x:.0f} {to_y:.0f}"
    return path
