//! Graphs of networks: a box for each layer, from the top down, and lines for what it takes.
//!
//! A box stands in the row of its longest way from the input. Columns are lanes: a layer goes on in the lane
//! of what it takes; where a value is taken by several layers, the one with the longest way to the output
//! goes on, and the others begin lanes to its right. A value that skips layers of its own lane passes them on
//! the left, in a curve.

use crate::svg::{AXIS, Anchor, Colour, MUTED, Svg, TEXT, Text, fit};

/// A layer of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphNode {
    /// Its name.
    pub name: String,
    /// Its kind: `Conv2D`.
    pub kind: String,
    /// What stands beside the kind: the shape of its output.
    pub detail: String,
    /// What it takes: indices of earlier nodes, `None` for the network's input.
    pub inputs: Vec<Option<usize>>,
}

const BOX: (f64, f64) = (200.0, 38.0);
/// The distance of rows.
const ROW: f64 = 58.0;
/// The distance of lanes.
const LANE: f64 = 236.0;
const MARGIN: f64 = 24.0;
const TITLE: f64 = 48.0;
/// How far a curve goes to the left, at least and at most.
const BULGE: (f64, f64) = (22.0, 90.0);
const PADDING: f64 = 10.0;

/// The fill and border of boxes, by what a kind does.
const STYLES: [(&[&str], &str, &str); 6] = [
    (&["Conv", "Depthwise"], "#d9ecf7", "#0072b2"),
    (&["Dense"], "#efe0ec", "#a2467f"),
    (&["Add", "Multiply", "Concat", "Split", "Channel"], "#fbe3d3", "#c04d00"),
    (&["Max", "Average", "Global", "Adaptive", "Up", "Flatten", "Zero"], "#d8efe7", "#00805e"),
    (&["Activation"], "#fdf3d0", "#8a6d00"),
    (&[""], "#eef0f2", "#8b949e"),
];

fn style(kind: &str) -> (Colour, Colour) {
    let all = STYLES.iter().find(|(begins, ..)| begins.iter().any(|b| kind.starts_with(b)));
    let (_, fill, stroke) = all.unwrap_or(&STYLES[STYLES.len() - 1]);
    (Colour { hex: fill, class: "" }, Colour { hex: stroke, class: "" })
}

/// Row and lane of each node.
fn layout(nodes: &[GraphNode]) -> Vec<(usize, usize)> {
    let taken = |node: &GraphNode| node.inputs.iter().flatten().copied().collect::<Vec<_>>();
    let mut row = vec![0; nodes.len()];
    for (i, node) in nodes.iter().enumerate() {
        row[i] = 1 + taken(node).into_iter().map(|input| row[input]).max().unwrap_or(0);
    }
    // The longest way to the end, and the row of the last layer that takes the value.
    let (mut way, mut last) = (vec![0; nodes.len()], row.clone());
    for (i, node) in nodes.iter().enumerate().rev() {
        for input in taken(node) {
            way[input] = way[input].max(way[i] + 1);
            last[input] = last[input].max(row[i]);
        }
    }
    // Which layer goes on in the lane of a value.
    let mut heir: Vec<Option<usize>> = vec![None; nodes.len()];
    for (i, node) in nodes.iter().enumerate() {
        for input in taken(node) {
            if heir[input].is_none_or(|known| way[i] > way[known]) {
                heir[input] = Some(i);
            }
        }
    }
    let mut lane = vec![0; nodes.len()];
    // The row up to which a lane is in use.
    let mut used: Vec<usize> = Vec::new();
    let mut order: Vec<usize> = (0..nodes.len()).collect();
    order.sort_by_key(|&i| (row[i], i));
    for i in order {
        let inherited = taken(&nodes[i]).into_iter().filter(|&input| heir[input] == Some(i));
        let free = || used.iter().position(|&until| until < row[i]).unwrap_or(used.len());
        lane[i] = inherited.map(|input| lane[input]).min().unwrap_or_else(free);
        if lane[i] == used.len() {
            used.push(0);
        }
        used[lane[i]] = last[i];
    }
    row.into_iter().zip(lane).collect()
}

/// Draws the graph as an SVG document. `input` is the shape of the network's input.
pub fn draw(title: &str, input: &str, nodes: &[GraphNode]) -> String {
    let places = layout(nodes);
    let rows = places.iter().map(|place| place.0).max().unwrap_or(0) + 1;
    let lanes = places.iter().map(|place| place.1).max().unwrap_or(0) + 1;
    let left = MARGIN + BULGE.1;
    let width = left + (lanes - 1) as f64 * LANE + BOX.0 + MARGIN;
    let height = TITLE + (rows - 1) as f64 * ROW + BOX.1 + MARGIN;
    let description = format!("Graph of {} layers, from the input at the top", nodes.len());
    let mut svg = Svg::new(width, height, title, &description);
    let title = fit(title, width - 2.0 * MARGIN, 16.0, true);
    svg.text(MARGIN, 30.0, &title, &Text::new(16.0).bold());
    // The middle of a box's upper edge.
    let top = |(row, lane): (usize, usize)| {
        (left + lane as f64 * LANE + BOX.0 / 2.0, TITLE + row as f64 * ROW)
    };
    const INPUT: (usize, usize) = (0, 0);
    for (node, &to) in nodes.iter().zip(&places) {
        for from in &node.inputs {
            let from = from.map_or(INPUT, |i| places[i]);
            edge(&mut svg, top(from), top(to), to.0 - from.0);
        }
    }
    let mut place = |at: (usize, usize), name: &str, kind: &str, detail: &str| {
        let (x, y) = top(at);
        let (fill, stroke) = style(kind);
        svg.rounded(x - BOX.0 / 2.0, y, BOX.0, BOX.1, fill, stroke);
        let room = BOX.0 - 2.0 * PADDING;
        let middle = Text::new(12.0).anchor(Anchor::Middle);
        svg.text(x, y + 16.0, &fit(name, room, 12.0, true), &middle.bold().colour(TEXT));
        let below = [kind, detail].join("  ");
        let small = Text::new(11.0).anchor(Anchor::Middle).colour(MUTED);
        svg.text(x, y + 31.0, &fit(below.trim(), room, 11.0, false), &small);
    };
    place(INPUT, "input", "", input);
    for (node, &at) in nodes.iter().zip(&places) {
        place(at, &node.name, &node.kind, &node.detail);
    }
    svg.finish()
}

/// A line from the box whose upper middle is `from` to that at `to`, `rows` below.
fn edge(svg: &mut Svg, from: (f64, f64), to: (f64, f64), rows: usize) {
    const WIDE: f64 = 1.4;
    let end = (to.0, to.1 - 1.0);
    if from.0 == to.0 && rows > 1 {
        // Past the boxes between.
        let bulge = (BULGE.0 + 9.0 * (rows - 1) as f64).min(BULGE.1);
        let (a, b) = (from.0 - BOX.0 / 2.0, to.0 - BOX.0 / 2.0);
        let (from, to) = ((a, from.1 + BOX.1 / 2.0), (b, to.1 + BOX.1 / 2.0));
        // A cubic curve reaches three quarters of the way to its control points.
        let x = a - bulge / 0.75;
        svg.curve(from, [(x, from.1), (x, to.1)], to, AXIS, WIDE);
        arrow(svg, (to.0 - 1.0, to.1), (1.0, 0.0));
        return;
    }
    let start = (from.0, from.1 + BOX.1);
    let gap = ROW - BOX.1;
    if from.0 > to.0 {
        // Down its own lane, then over.
        let turn = (start.0, end.1 - gap);
        svg.line(start, turn, AXIS, WIDE, "");
        svg.curve(turn, [(turn.0, end.1), (end.0, turn.1)], end, AXIS, WIDE);
    } else {
        // Over, then down the lane of the layer that takes it.
        let turn = (end.0, start.1 + gap);
        svg.curve(start, [(start.0, turn.1), (turn.0, start.1)], turn, AXIS, WIDE);
        svg.line(turn, end, AXIS, WIDE, "");
    }
    arrow(svg, end, (0.0, 1.0));
}

/// The head of an arrow that ends at `at` and points to `(x, y)`.
fn arrow(svg: &mut Svg, at: (f64, f64), (x, y): (f64, f64)) {
    const SIZE: f64 = 4.0;
    let side = |sign: f64| {
        (at.0 - SIZE * x + sign * SIZE * y * 0.8, at.1 - SIZE * y + sign * SIZE * x * 0.8)
    };
    svg.polyline(&[side(-1.0), at, side(1.0)], AXIS, 1.4);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, inputs: &[Option<usize>]) -> GraphNode {
        let (kind, detail) = ("Conv2D".to_string(), "8×8×4".to_string());
        GraphNode { name: name.into(), kind, detail, inputs: inputs.into() }
    }

    #[test]
    fn branches_stand_beside_each_other_and_meet() {
        // A stem, a long and a short branch, and their sum, which also takes the stem.
        let nodes = [
            node("stem", &[None]),
            node("long1", &[Some(0)]),
            node("long2", &[Some(1)]),
            node("short", &[Some(0)]),
            node("sum", &[Some(2), Some(3), Some(0)]),
            node("last", &[Some(4)]),
        ];
        let places = layout(&nodes);
        assert_eq!(places, [(1, 0), (2, 0), (3, 0), (2, 1), (4, 0), (5, 0)]);
    }

    #[test]
    fn lanes_are_used_again_and_no_two_boxes_lie_on_each_other() {
        let mut nodes = vec![node("stem", &[None])];
        for block in 0..3 {
            let x = nodes.len() - 1;
            for branch in 0..4 {
                nodes.push(node(&format!("{block}.{branch}"), &[Some(x)]));
            }
            let inputs: Vec<_> = (x + 1..x + 5).map(Some).collect();
            nodes.push(node("meet", &inputs));
        }
        let mut places = layout(&nodes);
        assert_eq!(places.iter().map(|place| place.1).max(), Some(3));
        places.sort();
        places.dedup();
        assert_eq!(places.len(), nodes.len());
    }

    #[test]
    fn the_drawing_is_well_formed_whatever_the_names() {
        let nodes = [node("<a & \"b\">", &[None]), node(&"long ".repeat(40), &[Some(0), None])];
        let svg = draw("a < b", "8×8×3", &nodes);
        assert!(crate::png::parse(&svg).is_ok(), "{svg}");
        assert!(svg.contains("&lt;a &amp;"), "{svg}");
        assert!(crate::png::parse(&draw("", "", &[])).is_ok());
    }
}
