//! Draws bodies: legs, trunk, tail and the position of the head, for each pose.
//!
//! Units: a standing animal is about one unit high at the shoulder; the ground is y = 0, y points down, and
//! the animal faces right (the canvas may be mirrored when it is placed).

use crate::anatomy::{SHADOW, colour_trunk, head_at, leg, long, resting_tail, short, tail};
use crate::animal::{Animal, Pose};
use crate::canvas::{Canvas, Hair, blob, mix, oval, tube};
use nn_core::rng::Rng;
use tiny_skia::Point;

/// The bounding box of an animal, in units: left, top, right, bottom.
pub fn extent(animal: &Animal) -> [f32; 4] {
    match animal.pose {
        Pose::Standing => [-0.85, -1.62, 0.98, 0.06],
        Pose::SittingFront => [-0.58, -1.60, 0.62, 0.08],
        Pose::SittingSide => [-0.75, -1.60, 0.62, 0.06],
        Pose::Lying => [-0.90, -1.05, 0.95, 0.06],
        Pose::Portrait => [-0.40, -0.52, 0.45, 0.50],
    }
}

/// Draws the whole animal.
pub fn draw(canvas: &mut Canvas, animal: &Animal, rng: &mut Rng) {
    match animal.pose {
        Pose::Standing => standing(canvas, animal, rng),
        Pose::SittingFront => sitting_front(canvas, animal, rng),
        Pose::SittingSide => sitting_side(canvas, animal, rng),
        Pose::Lying => lying(canvas, animal, rng),
        Pose::Portrait => portrait(canvas, animal, rng),
    }
}

fn standing(canvas: &mut Canvas, animal: &Animal, rng: &mut Rng) {
    let (coat, build) = (&animal.coat, animal.build);
    let rise = 0.09 * (build.legs - 0.5);
    let stout = 0.07 * (build.girth - 0.5);
    let swing = 0.16 * animal.stride;
    let (belly, back) = (-0.50 - rise + stout, -0.98 - rise);
    let carry = 0.10 * (0.5 - build.legs) + 0.09 * animal.quirk[4];
    let knee = |foot: f32| 0.45 * foot;

    // A hanging tail is drawn behind the legs, a raised one in front of the trunk.
    if build.tail < 0.45 {
        tail(canvas, animal, rng, -0.50, back + 0.10);
    }
    // Far legs, in the shade.
    let hind = |f: f32, dx: f32| {
        let lift = if f.abs() > 0.1 && f > 0.0 { 0.04 } else { 0.0 };
        [
            (-0.36 + dx, belly - 0.16, 0.17),
            (-0.30 + dx + knee(f), belly + 0.04, 0.105),
            (-0.46 + dx + 0.8 * f, -0.26, 0.055),
            (-0.43 + dx + f, -0.045 - lift, 0.047),
        ]
    };
    let fore = |f: f32, dx: f32| {
        let lift = if f > 0.1 { 0.03 } else { 0.0 };
        [
            (0.30 + dx, belly - 0.14, 0.13),
            (0.27 + dx + knee(f), belly + 0.08, 0.078),
            (0.28 + dx + 0.8 * f, -0.22, 0.053),
            (0.29 + dx + f, -0.045 - lift, 0.047),
        ]
    };
    let apart = 0.06 + 0.02 * animal.quirk[5];
    leg(canvas, animal, rng, &hind(-swing, 0.5 * apart + 0.05), 0.72);
    leg(canvas, animal, rng, &fore(swing, apart + 0.02), 0.72);

    let mut trunk = canvas.layer();
    let outline = [
        (0.30, back - 0.02),
        (0.0, back + 0.035),
        (-0.30, back + 0.01),
        (-0.47, back + 0.10),
        (-0.53, back + 0.28),
        (-0.46, belly - 0.04),
        (-0.22, belly - 0.05 - stout),
        (0.02, belly + 0.01),
        (0.25, belly + 0.04),
        (0.44, belly - 0.08),
        (0.50, belly - 0.24),
        (0.44, back + 0.06),
    ];
    trunk.fill(&blob(&outline), coat.side);
    let (hx, hy) = (0.60 - 0.05 * carry, back - 0.21 + carry);
    let thick = 0.03 * build.ruff;
    trunk.fill(
        &tube(&[
            (0.28, back + 0.22, 0.21),
            (0.42, back + 0.03, 0.19 + thick),
            (hx - 0.06, hy + 0.07, 0.145 + thick),
        ]),
        coat.side,
    );
    colour_trunk(&mut trunk, animal, back, belly);
    // The nape is dark and the throat pale.
    trunk.tint(
        &tube(&[(0.12, back, 0.08), (0.34, back - 0.13, 0.08), (hx - 0.16, hy, 0.08)]),
        coat.back,
        0.9,
        0.03 + coat.edge,
    );
    trunk.tint(
        &tube(&[
            (0.53, belly - 0.22, 0.07),
            (0.54, back + 0.08, 0.08),
            (hx + 0.03, hy + 0.16, 0.07),
        ]),
        coat.pale,
        0.5 + 0.45 * coat.mask,
        0.03 + coat.edge,
    );
    trunk.tint(&oval(0.42, belly - 0.22, 0.05, 0.16), SHADOW, 0.15, 0.08);
    trunk.tint(&oval(-0.18, belly - 0.22, 0.05, 0.18), SHADOW, 0.13, 0.08);
    trunk.comb(rng, long(animal), |p| {
        if p.x > 0.36 { Point::from_xy(-0.5, 1.0) } else { Point::from_xy(-1.0, 0.35) }
    });
    canvas.over(&trunk);

    leg(canvas, animal, rng, &hind(swing, 0.0), 1.0);
    leg(canvas, animal, rng, &fore(-swing, 0.0), 1.0);
    // The hair of thigh and shoulder merges into the trunk: it covers the joints' upper edges.
    let mut haunch = canvas.layer();
    haunch.fill(&oval(-0.36, belly - 0.18, 0.165, 0.20), coat.side);
    haunch.fill(&oval(0.29, belly - 0.17, 0.13, 0.17), coat.side);
    colour_trunk(&mut haunch, animal, back, belly + 0.06);
    haunch.comb(rng, long(animal), |p| Point::from_xy(-0.6, 0.6 - 0.3 * p.y));
    canvas.over(&haunch);
    if build.tail >= 0.45 {
        tail(canvas, animal, rng, -0.48, back + 0.10);
    }

    let tilt = if animal.faces_viewer { 0.1 * animal.quirk[1] } else { animal.nod + 0.10 };
    head_at(canvas, animal, rng, hx + 0.03, hy, tilt, 0.325);
}

fn sitting_front(canvas: &mut Canvas, animal: &Animal, rng: &mut Rng) {
    let (coat, build) = (&animal.coat, animal.build);
    let (wide, high) = (0.03 * build.girth, 0.10 * (build.legs - 0.5));
    let side = if animal.quirk[3] > 0.0 { 1.0 } else { -1.0 };
    // The tail rests on the ground beside the animal, or is visible above the hip.
    if build.tail > 0.6 {
        tail(canvas, animal, rng, -0.26, -0.40);
    } else {
        let mut brush = canvas.layer();
        let lie =
            [(0.2 * side, -0.10, 0.07), (0.40 * side, -0.06, 0.08), (0.58 * side, -0.03, 0.05)];
        brush.fill(&tube(&lie), mix(coat.back, coat.side, 0.4));
        brush.comb(rng, long(animal), |_| Point::from_xy(side, 0.1));
        canvas.over(&brush);
    }
    let mut trunk = canvas.layer();
    let top = -1.06 - high;
    let outline = [
        (0.0, top - 0.05),
        (0.20, top + 0.08),
        (0.29 + wide, -0.72),
        (0.31 + wide, -0.45),
        (0.36 + wide, -0.20),
        (0.26, -0.03),
        (0.0, -0.05),
        (-0.26, -0.03),
        (-0.36 - wide, -0.20),
        (-0.31 - wide, -0.45),
        (-0.29 - wide, -0.72),
        (-0.20, top + 0.08),
    ];
    trunk.fill(&blob(&outline), mix(coat.back, coat.side, 0.45));
    let bib = [
        (-0.17, top),
        (0.17, top),
        (0.17, -0.72),
        (0.12, -0.40),
        (0.0, -0.30),
        (-0.12, -0.40),
        (-0.17, -0.72),
    ];
    trunk.tint(&blob(&bib), coat.pale, 0.45 + 0.5 * coat.mask, 0.04 + coat.edge);
    trunk.tint(&oval(0.0, -0.16, 0.24, 0.14), SHADOW, 0.55, 0.10);
    trunk.tint(&oval(0.0, top + 0.10, 0.22, 0.05), SHADOW, 0.3, 0.10);
    trunk.comb(rng, long(animal), |p| Point::from_xy(0.9 * p.x, 0.6));
    canvas.over(&trunk);
    for s in [-1.0, 1.0] {
        let mut thigh = canvas.layer();
        thigh.fill(&oval(s * (0.31 + wide), -0.20, 0.13, 0.19), mix(coat.side, coat.pale, 0.2));
        thigh.tint(&oval(s * (0.37 + wide), -0.30, 0.10, 0.16), coat.back, 0.6, 0.06 + coat.edge);
        thigh.fill(&oval(s * (0.33 + wide), -0.035, 0.11, 0.05), coat.pale);
        thigh.comb(rng, short(animal), |_| Point::from_xy(0.3 * s, 1.0));
        canvas.over(&thigh);
        let x = s * (0.115 + 0.01 * animal.quirk[4]);
        leg(
            canvas,
            animal,
            rng,
            &[(x, -0.55, 0.095), (x, -0.28, 0.068), (x - 0.02, -0.05, 0.058)],
            1.0,
        );
    }
    let mut chest = canvas.layer();
    chest.fill(&oval(0.0, -0.70, 0.20, 0.22), mix(coat.side, coat.pale, 0.3));
    chest.tint(&oval(0.0, -0.70, 0.15, 0.26), coat.pale, 0.5 + 0.5 * coat.mask, 0.05 + coat.edge);
    chest.tint(&oval(0.0, -0.50, 0.20, 0.05), SHADOW, 0.22, 0.08);
    chest.comb(rng, Hair { length: 0.09, ..long(animal) }, |p| Point::from_xy(0.8 * p.x, 0.6));
    canvas.over(&chest);
    head_at(canvas, animal, rng, 0.04 * animal.quirk[2], top - 0.06, 0.09 * animal.quirk[1], 0.335);
}

fn sitting_side(canvas: &mut Canvas, animal: &Animal, rng: &mut Rng) {
    let (coat, build) = (&animal.coat, animal.build);
    let high = 0.10 * (build.legs - 0.5);
    let top = -1.02 - high;
    if build.tail > 0.6 {
        tail(canvas, animal, rng, -0.46, -0.16);
    } else {
        let joints = [(-0.38, -0.10, 0.07), (-0.55, -0.07, 0.085), (-0.75, -0.04, 0.045)];
        resting_tail(canvas, animal, rng, &joints);
    }
    leg(
        canvas,
        animal,
        rng,
        &[(0.24, -0.58, 0.10), (0.26, -0.28, 0.06), (0.29, -0.045, 0.05)],
        0.72,
    );
    let mut trunk = canvas.layer();
    let stout = 0.05 * build.girth;
    let outline = [
        (0.06, top + 0.02),
        (-0.12, top + 0.22),
        (-0.30, -0.55),
        (-0.45 - stout, -0.27),
        (-0.42, -0.06),
        (-0.18, -0.02),
        (0.05, -0.12),
        (0.20, -0.35),
        (0.33 + stout, -0.62),
        (0.30, top + 0.18),
    ];
    trunk.fill(&blob(&outline), coat.side);
    let (hx, hy) = (0.21, top - 0.06);
    trunk.fill(
        &tube(&[
            (0.10, top + 0.25, 0.20),
            (0.14, top + 0.08, 0.17 + 0.03 * build.ruff),
            (hx - 0.04, hy + 0.06, 0.14),
        ]),
        coat.side,
    );
    let saddle = tube(&[
        (0.02, top - 0.05, 0.12),
        (-0.14, top + 0.26, 0.15),
        (-0.34, -0.46, 0.15),
        (-0.46, -0.18, 0.12),
    ]);
    trunk.tint(&saddle, coat.back, 0.95, 0.03 + 1.3 * coat.edge);
    let bib = tube(&[(0.34, top + 0.04, 0.08), (0.34, -0.66, 0.09), (0.25, -0.42, 0.07)]);
    trunk.tint(&bib, coat.pale, 0.5 + 0.45 * coat.mask, 0.03 + coat.edge);
    trunk.tint(&oval(0.02, -0.10, 0.20, 0.08), SHADOW, 0.4, 0.10);
    trunk.comb(rng, long(animal), |p| Point::from_xy(if p.x > 0.2 { -0.1 } else { -0.6 }, 1.0));
    canvas.over(&trunk);
    let mut haunch = canvas.layer();
    haunch.fill(&oval(-0.25, -0.24, 0.20, 0.23), coat.side);
    haunch
        .fill(&tube(&[(-0.18, -0.10, 0.07), (0.0, -0.045, 0.05)]), mix(coat.side, coat.pale, 0.7));
    haunch.tint(&oval(-0.36, -0.36, 0.16, 0.16), coat.back, 0.7, 0.06 + coat.edge);
    haunch.tint(&oval(-0.08, -0.22, 0.04, 0.16), SHADOW, 0.22, 0.08);
    haunch.comb(rng, long(animal), |p| Point::from_xy(-0.4 + p.x, 0.8));
    canvas.over(&haunch);
    leg(
        canvas,
        animal,
        rng,
        &[(0.17, -0.58, 0.115), (0.17, -0.28, 0.063), (0.19, -0.045, 0.05)],
        1.0,
    );
    let tilt = if animal.faces_viewer { 0.1 * animal.quirk[1] } else { animal.nod - 0.05 };
    head_at(canvas, animal, rng, hx, hy, tilt, 0.33);
}

fn lying(canvas: &mut Canvas, animal: &Animal, rng: &mut Rng) {
    let (coat, build) = (&animal.coat, animal.build);
    let stout = 0.05 * (build.girth - 0.5);
    let back = -0.47 - stout;
    if build.tail > 0.6 {
        tail(canvas, animal, rng, -0.64, -0.22);
    } else {
        let joints = [(-0.60, -0.10, 0.07), (-0.76, -0.06, 0.08), (-0.88, -0.03, 0.045)];
        resting_tail(canvas, animal, rng, &joints);
    }
    let reach = 0.10 * (build.legs - 0.5);
    let forearm = |dx: f32, dy: f32| {
        [
            (0.26 + dx, -0.16 + dy, 0.10),
            (0.50 + dx, -0.07 + dy, 0.058),
            (0.70 + dx + reach, -0.05 + dy, 0.052),
        ]
    };
    leg(canvas, animal, rng, &forearm(0.10, -0.02), 0.75);
    let mut trunk = canvas.layer();
    let outline = [
        (0.30, back - 0.10),
        (0.05, back),
        (-0.30, back + 0.02),
        (-0.56, back + 0.12),
        (-0.66, -0.20),
        (-0.58, -0.02),
        (-0.2, 0.0),
        (0.2, -0.02),
        (0.42, -0.12),
        (0.48, -0.30),
    ];
    trunk.fill(&blob(&outline), coat.side);
    let (hx, hy) = (0.46, back - 0.20 + 0.03 * animal.quirk[4]);
    trunk.fill(
        &tube(&[
            (0.28, back + 0.20, 0.19),
            (0.36, back + 0.02, 0.17 + 0.03 * build.ruff),
            (hx - 0.02, hy + 0.06, 0.14),
        ]),
        coat.side,
    );
    colour_trunk(&mut trunk, animal, back, -0.02);
    trunk.tint(
        &tube(&[(0.12, back - 0.02, 0.08), (0.26, back - 0.12, 0.09), (hx - 0.14, hy, 0.08)]),
        coat.back,
        0.9,
        0.03 + coat.edge,
    );
    trunk.tint(
        &tube(&[(0.50, -0.22, 0.08), (0.50, back + 0.06, 0.08), (hx + 0.05, hy + 0.14, 0.07)]),
        coat.pale,
        0.5 + 0.45 * coat.mask,
        0.03 + coat.edge,
    );
    trunk.comb(rng, long(animal), |p| {
        if p.x > 0.3 { Point::from_xy(-0.3, 1.0) } else { Point::from_xy(-1.0, 0.4) }
    });
    canvas.over(&trunk);
    let mut haunch = canvas.layer();
    haunch.fill(&oval(-0.42, -0.22, 0.23, 0.21), coat.side);
    haunch.fill(
        &tube(&[(-0.40, -0.07, 0.065), (-0.14, -0.045, 0.05)]),
        mix(coat.side, coat.pale, 0.7),
    );
    haunch.tint(&oval(-0.46, -0.34, 0.20, 0.14), coat.back, 0.8, 0.06 + coat.edge);
    haunch.tint(&oval(-0.22, -0.22, 0.04, 0.15), SHADOW, 0.22, 0.08);
    haunch.comb(rng, long(animal), |p| Point::from_xy(-0.7, 0.5 - p.y));
    canvas.over(&haunch);
    leg(canvas, animal, rng, &forearm(0.0, 0.0), 1.0);
    let tilt = if animal.faces_viewer { 0.1 * animal.quirk[1] } else { animal.nod };
    head_at(canvas, animal, rng, hx, hy, tilt, 0.33);
}

/// Draws head and chest; the body extends below the lower edge of the picture.
fn portrait(canvas: &mut Canvas, animal: &Animal, rng: &mut Rng) {
    let (coat, build) = (&animal.coat, animal.build);
    let wide = 0.05 * build.ruff + 0.03 * build.girth;
    let mut trunk = canvas.layer();
    let lean = if animal.faces_viewer { 0.0 } else { -0.12 };
    let outline = [
        (-0.20 + 0.5 * lean, -0.10),
        (0.20 + 0.5 * lean, -0.10),
        (0.29 + wide + lean, 0.22),
        (0.38 + wide + lean, 0.60),
        (0.40 + lean, 1.60),
        (-0.40 + lean, 1.60),
        (-0.42 - wide + lean, 0.60),
        (-0.30 - wide + lean, 0.22),
    ];
    trunk.fill(&blob(&outline), mix(coat.back, coat.side, 0.5));
    let shift = if animal.faces_viewer { 0.25 * animal.yaw } else { 0.17 };
    let bib = [
        (-0.16 + shift, 0.0),
        (0.16 + shift, 0.0),
        (0.19 + 0.7 * shift, 0.30),
        (0.16 + 0.5 * shift, 0.7),
        (0.0, 1.2),
        (-0.16 + 0.5 * shift, 0.7),
        (-0.19 + 0.7 * shift, 0.30),
    ];
    trunk.tint(&blob(&bib), coat.pale, 0.45 + 0.5 * coat.mask, 0.05 + 1.4 * coat.edge);
    trunk.tint(&oval(0.5 * shift, 0.26, 0.22, 0.06), SHADOW, 0.32, 0.10);
    let hair = Hair { length: 0.075 + 0.04 * build.ruff.clamp(0.0, 1.0), ..long(animal) };
    trunk.comb(rng, hair, |p| Point::from_xy(0.9 * (p.x - 0.5 * shift), 0.6));
    canvas.over(&trunk);
    let tilt = if animal.faces_viewer { 0.09 * animal.quirk[1] } else { animal.nod - 0.1 };
    head_at(canvas, animal, rng, 0.0, 0.0, tilt, 0.38);
}
