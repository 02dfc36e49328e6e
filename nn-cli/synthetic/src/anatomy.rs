//! Parts shared by all poses: legs, tails, the colours of the trunk, and placing the head.
//!
//! Units are those of [`crate::body`].

use crate::animal::Animal;
use crate::canvas::{Canvas, Hair, Ink, blob, mix, oval, shade, tube};
use crate::head;
use nn_core::rng::Rng;
use tiny_skia::{Point, Transform};

/// The colour that darkens parts in shade.
pub const SHADOW: Ink = [0.05, 0.05, 0.07];

/// The long hair of trunk, neck and tail.
pub fn long(animal: &Animal) -> Hair {
    let length = 0.045 + 0.035 * animal.build.ruff.clamp(0.0, 1.0);
    Hair { length, grizzle: animal.coat.grizzle, density: 0.5 }
}

/// Short hair of the legs.
pub fn short(animal: &Animal) -> Hair {
    Hair { length: 0.025, grizzle: 0.7 * animal.coat.grizzle, density: 0.5 }
}

/// Draws the head at `(x, y)`, tilted downwards by `tilt` radians; scaled so that half a head measures
/// `size` units.
pub fn head_at(
    canvas: &mut Canvas,
    animal: &Animal,
    rng: &mut Rng,
    x: f32,
    y: f32,
    tilt: f32,
    size: f32,
) {
    let spot = Transform::from_translate(x, y)
        .pre_concat(Transform::from_rotate(tilt.to_degrees()))
        .pre_scale(size, size);
    canvas.placed(spot, |canvas| {
        // The head casts a shadow on what is behind it.
        canvas.tint(&oval(-0.05, 0.32, 0.62, 0.42), SHADOW, 0.38, 0.30);
        if animal.faces_viewer {
            head::front(canvas, animal, rng);
        } else {
            head::side(canvas, animal, rng);
        }
    });
}

/// Draws one leg: a tube that is darker above and pale below, with a paw.
pub fn leg(
    canvas: &mut Canvas,
    animal: &Animal,
    rng: &mut Rng,
    joints: &[(f32, f32, f32)],
    gain: f32,
) {
    let coat = &animal.coat;
    let top = mix(coat.side, coat.pale, 0.15 + 0.75 * coat.mask);
    let mut limb = canvas.layer();
    limb.fill(&tube(joints), shade(top, gain));
    let (x, y, r) = joints[joints.len() - 1];
    limb.fill(&oval(x + 0.035, y + 0.01, r + 0.035, 0.042), shade(top, gain));
    let below = [(-1.0, -0.42), (1.5, -0.42), (1.5, 0.2), (-1.0, 0.2)];
    limb.tint(&blob(&below), shade(coat.pale, gain), 0.35 + 0.6 * coat.mask, 0.12);
    // The hind edge is in shade.
    let edge: Vec<_> = joints.iter().map(|&(x, y, r)| (x - 0.75 * r, y, 0.4 * r)).collect();
    limb.tint(&tube(&edge), SHADOW, 0.22, 0.05);
    for toe in [0.045, 0.012] {
        let crease = tube(&[(x + toe, y + 0.005, 0.005), (x + toe + 0.005, y + 0.04, 0.005)]);
        limb.tint(&crease, SHADOW, 0.6, 0.0);
    }
    limb.comb(rng, short(animal), |_| Point::from_xy(-0.15, 1.0));
    canvas.over(&limb);
}

/// Draws the tail from `(x, y)` as a bushy tube: a curled tail bends upwards and forwards, a hanging one
/// downwards.
pub fn tail(canvas: &mut Canvas, animal: &Animal, rng: &mut Rng, x: f32, y: f32) {
    let (coat, curl) = (&animal.coat, animal.build.tail.clamp(-0.1, 1.15));
    // Heading, in radians: pi is backwards, more is up.
    let mut heading = std::f32::consts::PI + (-0.95 + 2.1 * curl) + 0.1 * animal.quirk[2];
    let turn = if curl > 0.5 { 0.55 * (curl - 0.5) * 1.6 } else { -0.10 };
    let radii = [0.055, 0.07, 0.085, 0.095, 0.095, 0.085, 0.06, 0.025];
    let (mut at, mut joints) = ((x + 0.06, y + 0.03), Vec::new());
    for r in radii {
        joints.push((at.0, at.1, r));
        at = (at.0 + 0.088 * heading.cos(), at.1 + 0.088 * heading.sin());
        heading += turn;
    }
    let flow = |p: Point| {
        let near = |j: &(f32, f32, f32)| (j.0 - p.x).powi(2) + (j.1 - p.y).powi(2);
        let mut best = 0;
        for i in 1..joints.len() - 1 {
            if near(&joints[i]) < near(&joints[best]) {
                best = i;
            }
        }
        let (a, b) = (joints[best], joints[best + 1]);
        let (dx, dy) = (p.x - (a.0 + b.0) / 2.0, p.y - (a.1 + b.1) / 2.0);
        Point::from_xy(b.0 - a.0 + 0.5 * dx, b.1 - a.1 + 0.5 * dy)
    };
    let mut brush = canvas.layer();
    brush.fill(&tube(&joints), mix(coat.back, coat.side, 0.45));
    let under: Vec<_> =
        joints.iter().map(|&(x, y, r)| (x + 0.5 * r, y + 0.5 * r, 0.55 * r)).collect();
    brush.tint(&tube(&under), coat.pale, 0.3 + 0.6 * coat.mask, 0.06);
    brush.tint(&tube(&joints[6..]), shade(coat.back, 0.7), 0.8 * (1.0 - coat.mask), 0.05);
    brush.comb(rng, Hair { length: 0.085, ..long(animal) }, flow);
    canvas.over(&brush);
}

/// Draws a tail resting on the ground, through the joints `(x, y, radius)`.
pub fn resting_tail(
    canvas: &mut Canvas,
    animal: &Animal,
    rng: &mut Rng,
    joints: &[(f32, f32, f32)],
) {
    let mut brush = canvas.layer();
    brush.fill(&tube(joints), mix(animal.coat.back, animal.coat.side, 0.4));
    brush.comb(rng, long(animal), |_| Point::from_xy(-1.0, 0.0));
    canvas.over(&brush);
}

/// Colours a trunk: a dark saddle above `back`, pale below `belly`, with a shadow underneath.
pub fn colour_trunk(trunk: &mut Canvas, animal: &Animal, back: f32, belly: f32) {
    let coat = &animal.coat;
    let depth = belly - back;
    let blanket = back + depth * (0.42 + 0.08 * animal.quirk[3]);
    let saddle = [
        (-1.2, back - 0.4),
        (1.2, back - 0.4),
        (0.62, blanket - 0.1),
        (0.36, blanket + 0.08),
        (0.1, blanket - 0.04),
        (-0.2, blanket + 0.02),
        (-0.5, blanket + 0.10),
        (-1.2, blanket),
    ];
    let blanket_ink = mix(coat.back, coat.side, 0.4 * (1.0 - coat.mask));
    trunk.tint(&blob(&saddle), blanket_ink, 0.95, 0.03 + 1.3 * coat.edge);
    // The pale underside reaches higher on coats with a strong mask.
    let high = 0.13 * coat.mask;
    let under = [
        (-1.0, belly - 0.05 - high),
        (0.0, belly - 0.06 - high),
        (0.3, belly - 0.08 - high),
        (0.62, belly - 0.27 - high),
        (1.2, belly + 0.3),
        (-1.0, belly + 0.3),
    ];
    trunk.tint(&blob(&under), coat.pale, 0.4 + 0.55 * coat.mask, 0.03 + coat.edge);
    trunk.tint(&oval(-0.02, belly + 0.04, 0.6, 0.06), SHADOW, 0.3, 0.10);
    trunk.tint(&oval(0.0, back, 0.45, 0.05), [1.0; 3], 0.10, 0.08);
}
