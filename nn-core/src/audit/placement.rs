//! The affine placement of one picture on another.

use super::keypoints::Feature;
use super::symmetry::Symmetry;
use std::f32::consts::TAU;

/// A point of picture `b` and its position on picture `a`.
pub type Correspondence = ((f32, f32), (f32, f32));

/// An affine map from points of picture `b` to points of picture `a`: `x_a = xx x + xy y + x0`,
/// `y_a = yx x + yy y + y0`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// The coefficient of `x` in `x_a`.
    pub xx: f32,
    /// The coefficient of `y` in `x_a`.
    pub xy: f32,
    /// `x_a` of the origin of `b`.
    pub x0: f32,
    /// The coefficient of `x` in `y_a`.
    pub yx: f32,
    /// The coefficient of `y` in `y_a`.
    pub yy: f32,
    /// `y_a` of the origin of `b`.
    pub y0: f32,
}

/// The reflection, rotation and scale of a placement, without its translation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Posture {
    mirrored: bool,
    angle: f32,
    scale: f32,
}

impl Posture {
    /// Whether two postures are similar.
    pub fn is_like(&self, other: &Self) -> bool {
        let turn = (self.angle - other.angle).abs();
        let turn = turn.min((TAU - turn).abs());
        let scale = self.scale / other.scale;
        self.mirrored == other.mirrored && (1.0 / 1.5..1.5).contains(&scale) && turn < 0.5
    }
}

impl Placement {
    /// The position on `a` of a point of `b`.
    #[inline(always)]
    pub fn apply(&self, x: f32, y: f32) -> (f32, f32) {
        (self.xx * x + self.xy * y + self.x0, self.yx * x + self.yy * y + self.y0)
    }

    /// The placement that maps one feature to the other, where `b` was made from `a` by a tilt by
    /// `angle` and then `symmetry`.
    pub fn of_features(of_a: &Feature, of_b: &Feature, symmetry: Symmetry, angle: f32) -> Self {
        let inverse = symmetry.inverse();
        let scale = of_a.scale / of_b.scale;
        let (sin, cos) = angle.sin_cos();
        let back = |(x, y): (f32, f32)| (cos * x + sin * y, cos * y - sin * x);
        let from_x = back(inverse.apply(scale, 0.0));
        let from_y = back(inverse.apply(0.0, scale));
        let (xx, yx, xy, yy) = (from_x.0, from_x.1, from_y.0, from_y.1);
        let (x, y) = (xx * of_b.x + xy * of_b.y, yx * of_b.x + yy * of_b.y);
        Self { xx, xy, x0: of_a.x - x, yx, yy, y0: of_a.y - y }
    }

    /// The largest distance of a corner of `b` from the nearest corner of `a`, relative to the
    /// longer side of `a`. Both pictures are given by width and height.
    pub fn off_frame(&self, a: (f32, f32), b: (f32, f32)) -> f32 {
        let corners = |(width, height): (f32, f32)| {
            let (right, bottom) = (width - 1.0, height - 1.0);
            [(0.0, 0.0), (right, 0.0), (0.0, bottom), (right, bottom)]
        };
        let of_a = corners(a);
        let distance = |(x, y): (f32, f32)| {
            let (x, y) = self.apply(x, y);
            of_a.iter().map(|&(u, v)| (u - x).hypot(v - y)).fold(f32::INFINITY, f32::min)
        };
        let farthest = corners(b).into_iter().map(distance).fold(0.0, f32::max);
        farthest / a.0.max(a.1)
    }

    /// The placement of the whole of `b` on the whole of `a`, where `b` was made from `a` by `symmetry`.
    pub fn of_frames(symmetry: Symmetry, a: (f32, f32), b: (f32, f32)) -> Self {
        let inverse = symmetry.inverse();
        let half = |(width, height): (f32, f32)| ((width - 1.0) / 2.0, (height - 1.0) / 2.0);
        let ((half_a, tall_a), (half_b, tall_b)) = (half(a), half(b));
        let (from_x, from_y) = (inverse.apply(1.0, 0.0), inverse.apply(0.0, 1.0));
        let mut placement = Self {
            xx: from_x.0 * half_a / half_b,
            xy: from_y.0 * half_a / tall_b,
            x0: 0.0,
            yx: from_x.1 * tall_a / half_b,
            yy: from_y.1 * tall_a / tall_b,
            y0: 0.0,
        };
        let (x, y) = placement.apply(half_b, tall_b);
        (placement.x0, placement.y0) = (half_a - x, tall_a - y);
        placement
    }

    /// The same placement for a picture before it was stretched: `(x, y)` was `(x / wide, y / tall)`.
    pub fn of_stretched(&self, (wide, tall): (f32, f32)) -> Self {
        Self {
            xx: self.xx * wide,
            xy: self.xy * tall,
            yx: self.yx * wide,
            yy: self.yy * tall,
            ..*self
        }
    }

    /// The inverse map, from points of `a` to points of `b`. `None` if it is singular.
    pub fn inverted(&self) -> Option<Self> {
        let area = self.determinant();
        if area.abs() < 1e-6 {
            return None;
        }
        let (xx, xy) = (self.yy / area, -self.xy / area);
        let (yx, yy) = (-self.yx / area, self.xx / area);
        let (x0, y0) = (-(xx * self.x0 + xy * self.y0), -(yx * self.x0 + yy * self.y0));
        Some(Self { xx, xy, x0, yx, yy, y0 })
    }

    /// The similarity transform (scale, rotation, translation) of the given orientation that maps
    /// each first point to its second, by least squares. `None` if the points coincide.
    pub fn fit_similarity(points: &[Correspondence], mirrored: bool) -> Option<Self> {
        let n = points.len() as f32;
        let side = if mirrored { -1.0 } else { 1.0 };
        let mean = |value: fn(&Correspondence) -> f32| points.iter().map(value).sum::<f32>() / n;
        let (bx, by) = (mean(|p| p.0.0), mean(|p| p.0.1));
        let (ax, ay) = (mean(|p| p.1.0), mean(|p| p.1.1));
        let (mut dot, mut cross, mut norm) = (0.0, 0.0, 0.0);
        for ((x, y), (u, v)) in points {
            // For a reflection, b is mirrored first.
            let (x, y, u, v) = (x - bx, side * (y - by), u - ax, v - ay);
            dot += x * u + y * v;
            cross += x * v - y * u;
            norm += x * x + y * y;
        }
        if norm.is_nan() || norm < 1.0 {
            return None;
        }
        let (cos, sin) = (dot / norm, cross / norm);
        let mut placement =
            Self { xx: cos, xy: -sin * side, x0: 0.0, yx: sin, yy: cos * side, y0: 0.0 };
        let (x, y) = placement.apply(bx, by);
        (placement.x0, placement.y0) = (ax - x, ay - y);
        Some(placement)
    }

    /// The ratio of an area on `a` to the same area on `b`; negative for a reflection.
    pub fn determinant(&self) -> f32 {
        self.xx * self.yy - self.xy * self.yx
    }

    /// Whether it contains a reflection.
    pub fn is_mirrored(&self) -> bool {
        self.determinant() < 0.0
    }

    /// The rotation, in radians, after the reflection if there is one.
    pub fn angle(&self) -> f32 {
        let side = if self.is_mirrored() { -1.0 } else { 1.0 };
        (self.yx - side * self.xy).atan2(self.xx + side * self.yy)
    }

    /// The nearest symmetry of the square, with the meaning that [`Placement::of_frames`] gives it.
    pub fn symmetry(&self) -> Symmetry {
        let turns = (self.angle() / std::f32::consts::FRAC_PI_2).round() as i32;
        // The angle refers to a vertical reflection, which differs from a horizontal one by half a turn.
        let turns = turns + if self.is_mirrored() { 2 } else { 0 };
        // The placement maps b to a, so it is inverted.
        Symmetry { mirrored: self.is_mirrored(), turns: turns.rem_euclid(4) as u8 }.inverse()
    }

    /// The ratio of the largest singular value to the smallest; 1 for a similarity transform.
    pub fn anisotropy(&self) -> f32 {
        let squares = self.xx * self.xx + self.xy * self.xy + self.yx * self.yx + self.yy * self.yy;
        let area = self.determinant().abs().max(1e-6);
        let half = (squares / (2.0 * area)).max(1.0);
        (half + (half * half - 1.0).sqrt()).max(1.0)
    }

    /// The shear: the cosine of the angle between the axes of `b` as they lie on `a`, or of those of `a` on `b` if it is
    /// smaller. 0 for rotations followed or preceded by a stretch along the axes.
    pub fn skew(&self) -> f32 {
        let between = |x: (f32, f32), y: (f32, f32)| {
            (x.0 * y.0 + x.1 * y.1).abs() / (x.0.hypot(x.1) * y.0.hypot(y.1)).max(1e-6)
        };
        let of_b = between((self.xx, self.yx), (self.xy, self.yy));
        of_b.min(between((self.xx, self.xy), (self.yx, self.yy)))
    }

    /// What [`Posture::is_like`] compares.
    pub fn posture(&self) -> Posture {
        let determinant = self.determinant();
        Posture {
            mirrored: determinant < 0.0,
            angle: self.angle(),
            scale: determinant.abs().sqrt(),
        }
    }

    /// Whether two placements have similar scales and rotations.
    pub fn is_like(&self, other: &Self) -> bool {
        self.posture().is_like(&other.posture())
    }

    /// The largest distance between the positions that two placements give a corner of `b`, of this
    /// size, in pixels of `a`.
    pub fn distance(&self, other: &Self, (width, height): (f32, f32)) -> f32 {
        let corners = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)];
        let apart = corners.map(|(x, y)| {
            let ((x, y), (u, v)) = (self.apply(x, y), other.apply(x, y));
            (x - u).hypot(y - v)
        });
        apart.into_iter().fold(0.0, f32::max)
    }

    /// The same placement between the pictures at half their size.
    pub fn halved(&self) -> Self {
        // Pixel centres at half the size lie between two original ones: x = 2 x' + 0.5.
        let (x, y) = self.apply(0.5, 0.5);
        Self { x0: (x - 0.5) / 2.0, y0: (y - 0.5) / 2.0, ..*self }
    }

    /// The same placement between pictures of twice the size; the inverse of [`Placement::halved`].
    pub fn doubled(&self) -> Self {
        let (x0, y0) = (2.0 * self.x0 + 0.5, 2.0 * self.y0 + 0.5);
        Self { x0: x0 - 0.5 * (self.xx + self.xy), y0: y0 - 0.5 * (self.yx + self.yy), ..*self }
    }
}
