//! Draws heads, in units of half a head: the origin is the centre of the skull, y points down.
//!
//! The front view of a head is a set of points in 3D, rotated by yaw and nod before it is drawn. The side
//! view is flat and faces right.

use crate::animal::Animal;
use crate::canvas::{Canvas, Hair, blob, curve, finish, mix, oval, shade, tube};
use nn_core::rng::Rng;
use tiny_skia::{Path, PathBuilder, Point, Transform};

const DARK: [f32; 3] = [0.06, 0.05, 0.05];
const TONGUE: [f32; 3] = [0.86, 0.47, 0.50];

/// The shape of an ear: from `a` via `b` to the tip, and via `c` back to `d`.
fn ear(a: (f32, f32), b: (f32, f32), tip: (f32, f32), c: (f32, f32), d: (f32, f32)) -> Path {
    let mut path = PathBuilder::new();
    path.move_to(a.0, a.1);
    let blunt = if d.0 > a.0 { 0.03 } else { -0.03 };
    path.quad_to(b.0, b.1, tip.0 - blunt, tip.1 + 0.02);
    path.quad_to(tip.0, tip.1 - 0.03, tip.0 + blunt, tip.1 + 0.02);
    path.quad_to(c.0, c.1, d.0, d.1);
    path.close();
    finish(path)
}

/// The point halfway from `a` to `b`, moved by `(dx, dy)`.
fn bulge(a: (f32, f32), b: (f32, f32), dx: f32, dy: f32) -> (f32, f32) {
    ((a.0 + b.0) / 2.0 + dx, (a.1 + b.1) / 2.0 + dy)
}

/// Draws the head facing the viewer, turned by the animal's yaw and nod.
pub fn front(canvas: &mut Canvas, animal: &Animal, rng: &mut Rng) {
    let (coat, build) = (&animal.coat, animal.build);
    let (turn, tilt) = (animal.yaw.sin_cos(), (animal.nod + 0.05).sin_cos());
    let at = |x: f32, y: f32, z: f32| {
        let (flat, deep) = (x * turn.1 + z * turn.0, z * turn.1 - x * turn.0);
        (flat, y * tilt.1 + deep * tilt.0)
    };
    let hair = |length, density| Hair { length, grizzle: coat.grizzle, density };
    let away = |p: Point| Point::from_xy(p.x * 1.2, p.y - 0.05 + 0.25);

    // Ears first: the skull overlaps their roots.
    let tall = 0.30 + 0.36 * build.ears;
    let mut ears = canvas.layer();
    for s in [-1.0, 1.0] {
        let (inner, outer) = (at(s * 0.08, -0.46, -0.1), at(s * 0.56, -0.26, -0.1));
        let tip = at(s * (0.42 + 0.05 * animal.quirk[0]), -0.52 - tall, -0.15);
        let (b, c) = (bulge(inner, tip, -s * 0.03, -0.06), bulge(tip, outer, s * 0.07, -0.04));
        ears.fill(&ear(inner, b, tip, c, outer), shade(coat.back, 0.9));
        let into = |p: (f32, f32), t: f32| {
            let centre = at(s * 0.34, -0.42, 0.0);
            (p.0 + (centre.0 - p.0) * t, p.1 + (centre.1 - p.1) * t)
        };
        let lining = mix(mix(coat.pale, [0.80, 0.62, 0.56], 0.45), coat.back, 0.15);
        let cup =
            ear(into(inner, 0.3), into(b, 0.3), into(tip, 0.3), into(c, 0.3), into(outer, 0.35));
        ears.tint(&cup, lining, 0.9, 0.04);
    }
    ears.comb(rng, hair(0.10, 0.35), |_| Point::from_xy(0.0, -1.0));
    canvas.over(&ears);

    let ruff = 0.22 * build.ruff;
    let outline: Vec<(f32, f32)> = [
        (0.0, -0.60, 0.05),
        (0.26, -0.57, 0.0),
        (0.46, -0.36, 0.0),
        (0.55, -0.08, 0.0),
        (0.60 + ruff, 0.20, 0.0),
        (0.46 + 0.7 * ruff, 0.46 + 0.3 * ruff, 0.05),
        (0.22, 0.63, 0.2),
    ]
    .into_iter()
    .flat_map(|(x, y, z)| [(x, y, z), (-x, y, z)])
    .map(|(x, y, z)| at(x, y, z))
    .collect();
    let (right, left): (Vec<_>, Vec<_>) = outline.chunks(2).map(|p| (p[0], p[1])).unzip();
    let rim: Vec<_> = right.into_iter().chain(left.into_iter().skip(1).rev()).collect();

    let mut skull = canvas.layer();
    skull.fill(&blob(&rim), mix(coat.back, coat.side, 0.5 * (1.0 - coat.mask)));
    // The pale face: a lobe on each side, up to the brow where the mask is strong.
    let brow = -0.02 - 0.36 * coat.mask;
    let stripe = 0.05 + 0.10 * (1.0 - coat.mask) + 0.02 * animal.quirk[1];
    let edge = 1.6 * coat.edge;
    for s in [-1.0, 1.0] {
        let lobe: Vec<_> = [
            (stripe, 0.05, 0.35),
            (stripe + 0.05, brow + 0.06, 0.25),
            (stripe + 0.15, brow, 0.2),
            (0.36, brow + 0.13, 0.15),
            (0.40, -0.02, 0.1),
            (0.54, 0.12, 0.0),
            (0.62, 0.32, 0.0),
            (0.40, 0.56, 0.1),
            (0.10, 0.72, 0.2),
            (-0.05, 0.40, 0.4),
        ]
        .into_iter()
        .map(|(x, y, z)| at(s * x, y, z))
        .collect();
        skull.tint(&blob(&lobe), coat.pale, 0.35 + 0.65 * coat.mask, edge);
        // Brows, and the dark line from the eye to the cheek that wolves and huskies share.
        let (x, y) = at(s * 0.20, -0.30, 0.25);
        skull.tint(&oval(x, y, 0.08, 0.05), coat.pale, 0.8, 0.05);
        let line = [at(s * 0.28, -0.04, 0.3), at(s * 0.46, 0.10, 0.1), at(s * 0.60, 0.2, 0.0)];
        skull.tint(&curve_band(&line, 0.035), coat.back, 0.5, 0.07);
    }
    // The bridge of the nose, in the colour of the flanks where the mask is weak.
    let bridge = [at(0.0, -0.25, 0.3), at(0.0, 0.05, 0.5), at(0.0, 0.20, 0.6)];
    skull.tint(&curve_band(&bridge, 0.09), coat.side, 0.75 * (1.0 - coat.mask), 0.07);
    skull.tint(&curve_band(&bridge, 0.02), coat.back, 0.4 * coat.mask, 0.03);
    // Shading for a round shape: the far cheek and the underside are darker.
    let (x, y) = at(0.0, 0.70, 0.1);
    skull.tint(&oval(x, y, 0.5, 0.16), DARK, 0.28, 0.18);
    skull.comb(rng, hair(0.13, 0.5), away);
    canvas.over(&skull);

    muzzle_front(canvas, animal, rng, &at);
    for (s, iris) in [(-1.0, coat.eyes[0]), (1.0, coat.eyes[1])] {
        let (x, y) = at(s * 0.235, -0.10, 0.32);
        let slant = s * 0.33;
        let spot = Transform::from_translate(x, y)
            .pre_concat(Transform::from_row(turn.1, 0.0, 0.0, 1.0, 0.0, 0.0))
            .pre_concat(Transform::from_row(0.84, -0.84 * slant, 0.0, 0.84, 0.0, 0.0));
        canvas.placed(spot, |c| eye(c, iris));
    }
}

/// A line as an area of constant width, with the given `radius`.
fn curve_band(points: &[(f32, f32)], radius: f32) -> Path {
    let joints: Vec<_> = points.iter().map(|&(x, y)| (x, y, radius)).collect();
    tube(&joints)
}

/// Draws the muzzle. It protrudes towards the viewer, so it moves most when the head turns.
fn muzzle_front(
    canvas: &mut Canvas,
    animal: &Animal,
    rng: &mut Rng,
    at: &impl Fn(f32, f32, f32) -> (f32, f32),
) {
    let (coat, long) = (&animal.coat, animal.build.muzzle);
    let far = 0.48 + 0.22 * long;
    let mut muzzle = canvas.layer();
    let pale = mix(coat.side, coat.pale, 0.55 + 0.45 * coat.mask);
    let (bx, by) = at(0.0, 0.26, 0.35);
    let (tx, ty) = at(0.0, 0.36, far);
    let width = 0.25 - 0.03 * long;
    muzzle.fill(&oval(bx, by, width + 0.03, 0.25), pale);
    muzzle.fill(&oval((bx + tx) / 2.0, (by + ty) / 2.0, width, 0.22), pale);
    muzzle.fill(&oval(tx, ty - 0.02, width - 0.04, 0.19), pale);
    let (px, py) = at(0.0, 0.08, far - 0.2);
    let bridge = mix(coat.side, coat.pale, coat.mask);
    muzzle.tint(&oval(px, py, 0.11, 0.18), bridge, 0.9, 0.06);
    muzzle.tint(&oval(tx, ty + 0.2, 0.2, 0.08), DARK, 0.3, 0.1);
    let shadow = [(bx - width, by + 0.1), (tx - width + 0.03, ty + 0.1)];
    muzzle.tint(&curve_band(&shadow, 0.04), DARK, 0.18, 0.1);
    let grizzle = 0.5 * coat.grizzle;
    muzzle.comb(rng, Hair { length: 0.06, grizzle, density: 0.5 }, |p| {
        Point::from_xy(p.x - tx, p.y - ty + 0.15)
    });
    canvas.over(&muzzle);

    let (nx, ny) = at(0.0, 0.28, far + 0.06);
    let lip = (nx, ny + 0.20);
    let corner = |s: f32| at(s * 0.19, 0.50, far - 0.25);
    if animal.pant > 0.0 {
        let drop = 0.10 + 0.22 * animal.pant;
        let (l, r) = (corner(-1.0), corner(1.0));
        let gape = blob(&[l, lip, r, (lip.0 + 0.09, lip.1 + drop), (lip.0 - 0.09, lip.1 + drop)]);
        canvas.fill(&gape, [0.22, 0.09, 0.09]);
        canvas.fill(&oval(lip.0, lip.1 + 0.6 * drop, 0.085, 0.62 * drop), TONGUE);
        canvas.line(
            &curve(&[(lip.0, lip.1 + 0.3 * drop), (lip.0, lip.1 + drop)]),
            [0.72, 0.36, 0.4],
            0.012,
        );
    }
    canvas.line(&curve(&[(nx, ny), lip]), DARK, 0.022);
    for s in [-1.0, 1.0] {
        let end = corner(s);
        canvas.line(&curve(&[lip, bulge(lip, end, 0.0, 0.035), end]), DARK, 0.024);
    }
    let nose = blob(&[
        (nx - 0.105, ny - 0.06),
        (nx, ny - 0.085),
        (nx + 0.105, ny - 0.06),
        (nx + 0.075, ny + 0.03),
        (nx, ny + 0.075),
        (nx - 0.075, ny + 0.03),
    ]);
    canvas.fill(&nose, coat.nose);
    canvas.tint(&oval(nx, ny - 0.05, 0.05, 0.018), [0.6, 0.6, 0.62], 0.6, 0.03);
    for s in [-1.0, 1.0] {
        canvas.tint(&oval(nx + s * 0.05, ny + 0.01, 0.024, 0.017), [0.0; 3], 0.9, 0.0);
    }
}

/// An eye of half-width 0.1 around the origin.
fn eye(canvas: &mut Canvas, iris: [f32; 3]) {
    let almond = |w: f32, h: f32| {
        let mut path = PathBuilder::new();
        path.move_to(-w, 0.01);
        path.quad_to(0.0, -h * 1.7, w, 0.0);
        path.quad_to(0.0, h * 1.6, -w, 0.01);
        path.close();
        finish(path)
    };
    canvas.fill(&almond(0.118, 0.085), DARK);
    canvas.fill(&almond(0.086, 0.058), mix(iris, [0.9, 0.9, 0.88], 0.1));
    canvas.tint(&oval(0.0, 0.0, 0.052, 0.052), iris, 1.0, 0.0);
    canvas.fill(&oval(0.0, -0.002, 0.027, 0.029), DARK);
    canvas.fill(&oval(0.018, -0.018, 0.011, 0.011), [0.96; 3]);
}

/// Draws the head in profile, looking right.
pub fn side(canvas: &mut Canvas, animal: &Animal, rng: &mut Rng) {
    let (coat, build) = (&animal.coat, animal.build);
    let reach = 0.70 + 0.22 * build.muzzle;
    let ruff = 0.16 * build.ruff;
    let tall = 0.34 + 0.34 * build.ears;
    let hair = |length, density| Hair { length, grizzle: coat.grizzle, density };

    let mut ears = canvas.layer();
    for (dx, gain) in [(0.16, 0.7), (0.0, 1.0)] {
        let (a, d) = ((-0.34 + dx, -0.28), (0.02 + dx, -0.40));
        let tip = (-0.16 + dx + 0.04 * animal.quirk[0], -0.42 - tall);
        let (b, c) = (bulge(a, tip, -0.06, -0.04), bulge(tip, d, 0.05, -0.04));
        ears.fill(&ear(a, b, tip, c, d), shade(coat.back, gain));
        if gain == 1.0 {
            let lining = mix(mix(coat.pale, [0.80, 0.62, 0.56], 0.4), coat.back, 0.25);
            let inner = ear(
                (-0.20, -0.36),
                bulge(b, tip, 0.08, 0.12),
                (tip.0 + 0.03, tip.1 + 0.13),
                bulge(c, d, -0.04, 0.0),
                (-0.02, -0.40),
            );
            ears.tint(&inner, lining, 0.8, 0.04);
        }
    }
    ears.comb(rng, hair(0.08, 0.35), |_| Point::from_xy(-0.1, -1.0));
    canvas.over(&ears);

    let gape = 0.26 * animal.pant;
    if gape > 0.0 {
        let mut mouth = canvas.layer();
        let inside = [(0.20, 0.10), (reach - 0.05, 0.08), (reach - 0.19, 0.21 + gape), (0.2, 0.28)];
        mouth.fill(&blob(&inside), [0.25, 0.10, 0.10]);
        let jaw = [
            (0.05, 0.22),
            (0.40, 0.24 + 0.5 * gape),
            (reach - 0.20, 0.20 + gape),
            (reach - 0.17, 0.27 + gape),
            (0.30, 0.40 + 0.6 * gape),
            (0.0, 0.42),
        ];
        mouth.fill(&blob(&jaw), shade(mix(coat.side, coat.pale, 0.7), 0.85));
        mouth.comb(rng, hair(0.05, 0.4), |_| Point::from_xy(-1.0, 0.3));
        let tongue = [
            (0.40, 0.20 + 0.3 * gape, 0.035),
            (reach - 0.20, 0.16 + 0.75 * gape, 0.045),
            (reach - 0.12, 0.26 + 1.1 * gape, 0.05),
            (reach - 0.12, 0.33 + 1.2 * gape, 0.04),
        ];
        mouth.fill(&tube(&tongue), TONGUE);
        canvas.over(&mouth);
    }
    let mut head = canvas.layer();
    // A closed mouth hides the lower jaw behind the outline of the upper.
    let chin = if gape > 0.0 { 0.0 } else { 0.08 };
    head.fill(
        &blob(&[
            (-0.48, -0.10),
            (-0.40, -0.36),
            (-0.18, -0.50),
            (0.06, -0.46),
            (0.21, -0.28),
            (0.34, -0.19),
            (reach - 0.12, -0.13),
            (reach - 0.01, -0.07),
            (reach + 0.005, 0.05),
            (reach - 0.06, 0.13 + chin),
            (reach - 0.20, 0.18 + chin),
            (0.40, 0.25 + chin),
            (0.22, 0.36 + 0.5 * chin),
            (0.02, 0.44 + 0.4 * ruff),
            (-0.28, 0.50 + ruff),
            (-0.50, 0.25),
        ]),
        mix(coat.back, coat.side, 0.5 * (1.0 - coat.mask)),
    );
    // The pale lower face, rising to the brow where the mask is strong.
    let top = -0.02 - 0.20 * coat.mask;
    let face = blob(&[
        (reach + 0.05, 0.02),
        (0.45, top + 0.16),
        (0.30, top + 0.02),
        (0.16, top - 0.10 * coat.mask),
        (0.02, top + 0.06),
        (-0.08, 0.06),
        (-0.24, 0.22),
        (-0.34, 0.60),
        (0.10, 0.60),
        (reach, 0.40),
    ]);
    head.tint(&face, coat.pale, 0.4 + 0.6 * coat.mask, 1.5 * coat.edge);
    head.tint(&oval(0.13, -0.27, 0.06, 0.045), coat.pale, 0.75, 0.05);
    let bridge = curve_band(&[(0.26, -0.20), (0.5, -0.14), (reach - 0.08, -0.09)], 0.05);
    head.tint(&bridge, coat.side, 0.75 * (1.0 - coat.mask), 0.06);
    head.tint(
        &curve_band(&[(0.12, -0.10), (-0.1, 0.04), (-0.26, 0.1)], 0.03),
        coat.back,
        0.5,
        0.06,
    );
    head.tint(&oval(-0.05, 0.50, 0.45, 0.10), DARK, 0.25, 0.15);
    head.comb(rng, hair(0.11, 0.5), |p| {
        Point::from_xy(-1.0, if p.x > 0.2 { 0.1 } else { 0.9 * (p.y + 0.2) })
    });
    canvas.over(&head);

    let lips =
        [(reach - 0.03, 0.04), (reach - 0.07, 0.11), (0.55, 0.16), (0.33, 0.20), (0.27, 0.18)];
    canvas.line(&curve(&lips), mix(DARK, coat.side, 0.25), 0.018);
    canvas.fill(&oval(reach - 0.03, -0.035, 0.065, 0.058), coat.nose);
    canvas.tint(&oval(reach - 0.035, -0.065, 0.03, 0.014), [0.6, 0.6, 0.62], 0.6, 0.02);
    let spot = Transform::from_translate(0.155, -0.165)
        .pre_concat(Transform::from_row(0.66, 0.16, 0.0, 0.76, 0.0, 0.0));
    canvas.placed(spot, |c| eye(c, coat.eyes[1]));
}
