//! Marks that lie at the same place in images of one class: a tag, a letter, a ruler, a watermark.
//!
//! All is told from small grey pictures, brought to one size. Half of the images show, class by class,
//! what a mark could be; the other half is asked whether they bear it, so that shuffling the labels of
//! that half says what chance would do. There are two ways to be a mark:
//!
//! - *constant*: places at which the images of a class are far more alike than others, and not just
//!   plain ground; an image bears it if it is nearly the same there;
//! - *drawn*: a pattern of local differences that is in the mean of the class and not of the others
//!   (a faint watermark, or a mark in some images); an image bears it if the pattern is in it. It is not
//!   looked for where most pictures of the class have a plain ground, on which the subject is drawn.

#![allow(clippy::needless_range_loop)] // hot loops count, as in `kernels/simd.rs`

use super::bins::Binned;
use super::in_parallel;
use crate::audit::luma::Luma;
use crate::kernels::widest::{Loops, widest};
use std::collections::HashMap;

/// Images of a class, in the half that shows, from which on places can be called alike.
const LEAST_ALIKE: usize = 4;
/// The spread of a class at a constant place, as a share of that of the others.
const ALIKE: f64 = 0.3;
/// The spread of a class at a constant place, in grey levels, at most.
const MOST_SPREAD: f64 = 12.0;
/// Places of a constant mark, at least.
const LEAST_PLACES: usize = 2;
/// Places of a mark, as a share of the picture, at most: what is larger is no mark.
const MOST_PLACES: f64 = 0.15;
/// What [`Mark::separate`] is for constant places, whose scores are logarithms, and for drawn ones.
const SEPARATE_CONSTANT: f64 = 3.0;
const SEPARATE_DRAWN: f64 = 4.0;
/// The box around a mark, as a share of the picture, at most.
const MOST_AREA: f64 = 0.3;
/// Standard errors by which a place of a drawn mark differs.
const DIFFERS: f64 = 3.5;
/// Places of a drawn mark, at most.
const MOST_DRAWN: usize = 600;
/// Local differences beyond this many grey levels count as this many.
const MOST_DIFFERENCE: f32 = 60.0;
/// Pixels to each side that are around one.
const AROUND: usize = 2;
/// Grey levels within which a pixel is of the ground.
const GROUND: i32 = 10;
/// The share of a picture that one shade must cover to be its ground.
const GROUND_SHARE: f64 = 0.2;

/// A possible mark of a class.
pub struct Mark {
    /// The class.
    pub class: usize,
    /// How much each asked image bears it.
    pub scores: Vec<f64>,
    /// Where it lies, in words.
    pub place: String,
    /// Its width and height as shares of the picture's.
    pub size: [f64; 2],
    /// Standard deviations that must lie between images that bear it and those of other classes:
    /// pictures of different things are told apart, too, but not as clearly.
    pub separate: f64,
}

impl Mark {
    /// Its scores in bins, of which only high ones are asked for.
    pub fn binned(&self) -> Binned {
        let mut binned = Binned::of_numbers(&self.scores);
        binned.questions.retain(|question| question.from == 0 && question.not);
        binned
    }
}

/// Small pictures of one size.
struct Pictures {
    width: usize,
    places: usize,
    /// Grey, picture by picture.
    grey: Vec<u8>,
    /// The difference from the mean around, picture by picture.
    local: Vec<i8>,
    /// The ground of each picture, if it has one.
    ground: Vec<Option<i32>>,
}

impl Pictures {
    fn new(pictures: &[Luma]) -> Self {
        let mut sizes: HashMap<(usize, usize), usize> = HashMap::new();
        pictures.iter().for_each(|p| *sizes.entry((p.width, p.height)).or_default() += 1);
        let common = sizes.into_iter().max_by_key(|&(size, count)| (count, size));
        let (width, height) = common.map_or((1, 1), |(size, _)| size);
        let places = width * height;
        let each = in_parallel(pictures.len(), |i| {
            let fitted = fitted(&pictures[i], width, height);
            let grey: Vec<u8> = fitted.pixels.iter().map(|&v| v as u8).collect();
            (grey, local(&fitted), ground(&fitted))
        });
        let mut all =
            Self { width, places, grey: Vec::new(), local: Vec::new(), ground: Vec::new() };
        for (grey, local, ground) in each {
            all.grey.extend(grey);
            all.local.extend(local);
            all.ground.push(ground);
        }
        all
    }

    fn grey(&self, i: usize) -> &[u8] {
        &self.grey[i * self.places..][..self.places]
    }

    fn local(&self, i: usize) -> &[i8] {
        &self.local[i * self.places..][..self.places]
    }

    /// Sums over some pictures.
    fn sums(&self, of: &[usize]) -> Sums {
        let zeros = || vec![0.0_f32; self.places];
        let mut sums =
            Sums { n: of.len() as f64, grey: [zeros(), zeros()], local: [zeros(), zeros()] };
        for &i in of {
            let [sum, squares] = &mut sums.grey;
            for ((&v, sum), square) in self.grey(i).iter().zip(sum).zip(squares) {
                let v = f32::from(v);
                *sum += v;
                *square += v * v;
            }
            let [sum, squares] = &mut sums.local;
            for ((&v, sum), square) in self.local(i).iter().zip(sum).zip(squares) {
                let v = f32::from(v);
                *sum += v;
                *square += v * v;
            }
        }
        sums
    }
}

/// Sums of values and of their squares, place by place.
struct Sums {
    n: f64,
    grey: [Vec<f32>; 2],
    local: [Vec<f32>; 2],
}

/// Mean and variance.
fn moments(n: f64, [sum, squares]: [f64; 2]) -> (f64, f64) {
    let mean = sum / n.max(1.0);
    (mean, (squares / n.max(1.0) - mean * mean).max(0.0))
}

/// `picture` at another size, each pixel the nearest one.
fn fitted(picture: &Luma, width: usize, height: usize) -> Luma {
    if (picture.width, picture.height) == (width, height) {
        return picture.clone();
    }
    let mut fitted = Luma::zeros(width, height);
    for y in 0..height {
        let row = (2 * y + 1) * picture.height / (2 * height) * picture.width;
        for x in 0..width {
            let from = row + (2 * x + 1) * picture.width / (2 * width);
            fitted.pixels[y * width + x] = picture.pixels[from];
        }
    }
    fitted
}

/// Each pixel minus the mean of those around.
fn local(picture: &Luma) -> Vec<i8> {
    widest(Local(picture))
}

struct Local<'a>(&'a Luma);

impl Loops for Local<'_> {
    type Output = Vec<i8>;

    #[inline(always)]
    fn run(self) -> Vec<i8> {
        let Luma { width, height, ref pixels } = *self.0;
        let mut local = vec![0; width * height];
        // Sums over the rows around, with a margin on either side.
        let mut sums = vec![0.0_f32; width + 2 * AROUND];
        for (y, local) in local.chunks_exact_mut(width).enumerate() {
            let (from, to) = (y.saturating_sub(AROUND), (y + AROUND + 1).min(height));
            sums.fill(0.0);
            for row in pixels[from * width..to * width].chunks_exact(width) {
                for (sum, value) in sums[AROUND..].iter_mut().zip(row) {
                    *sum += value;
                }
            }
            let row = &pixels[y * width..][..width];
            for x in 0..width {
                let mut sum = 0.0;
                for beside in 0..2 * AROUND + 1 {
                    sum += sums[x + beside];
                }
                let columns = (x + AROUND + 1).min(width) - x.saturating_sub(AROUND);
                let difference = row[x] - sum / ((to - from) * columns) as f32;
                local[x] = difference.clamp(-MOST_DIFFERENCE, MOST_DIFFERENCE).round() as i8;
            }
        }
        local
    }
}

/// The shade that covers much of a picture.
fn ground(picture: &Luma) -> Option<i32> {
    let mut histogram = [0_usize; 256];
    picture.pixels.iter().for_each(|&v| histogram[v as usize & 255] += 1);
    let near = |v: usize| histogram[v.saturating_sub(2)..(v + 3).min(256)].iter().sum::<usize>();
    let most = (0..256).max_by_key(|&v| near(v))?;
    (near(most) as f64 >= GROUND_SHARE * picture.pixels.len() as f64).then_some(most as i32)
}

/// The marks that `shown` images suggest for each class, and how much the `asked` ones bear them. All
/// are numbers of `pictures`, which have these `labels`.
pub fn marks(
    pictures: &[Luma],
    labels: &[usize],
    classes: usize,
    (shown, asked): (&[usize], &[usize]),
) -> Vec<Mark> {
    let pictures = Pictures::new(pictures);
    let all = pictures.sums(shown);
    let of_class = |class: usize| {
        let own: Vec<usize> = shown.iter().copied().filter(|&i| labels[i] == class).collect();
        if own.is_empty() || own.len() == shown.len() {
            return Vec::new();
        }
        let sums = pictures.sums(&own);
        let constant = constant(&pictures, &all, &sums, &own, asked);
        let drawn = drawn(&pictures, &all, &sums, asked);
        // What is drawn on plain ground is the subject.
        let plain = 2 * own.iter().filter(|&&i| pictures.ground[i].is_some()).count() > own.len();
        let found = [constant, drawn.filter(|_| !plain)].into_iter().flatten();
        let marks = found.map(|(scores, places, separate)| Mark {
            separate,
            ..mark(class, scores, &places, &pictures)
        });
        marks.filter(|mark| mark.size[0] * mark.size[1] <= MOST_AREA).collect::<Vec<Mark>>()
    };
    in_parallel(classes, of_class).into_iter().flatten().collect()
}

type Found = Option<(Vec<f64>, Vec<usize>, f64)>;

/// Places at which a class is alike; the score is minus the logarithm of how far an image is from it.
fn constant(pictures: &Pictures, all: &Sums, sums: &Sums, own: &[usize], asked: &[usize]) -> Found {
    if own.len() < LEAST_ALIKE {
        return None;
    }
    let mut places = Vec::new();
    for x in 0..pictures.places {
        let [sum, squares] = [0, 1].map(|i: usize| f64::from(sums.grey[i][x]));
        let (mean, variance) = moments(sums.n, [sum, squares]);
        let rest = [0, 1].map(|i: usize| f64::from(all.grey[i][x]) - [sum, squares][i]);
        let (_, rest) = moments(all.n - sums.n, rest);
        let alike = variance < (ALIKE * ALIKE * rest).min(MOST_SPREAD * MOST_SPREAD);
        let on_ground = |&&i: &&usize| {
            pictures.ground[i].is_some_and(|ground| (ground - mean as i32).abs() <= GROUND)
        };
        if alike && 2 * own.iter().filter(on_ground).count() < own.len() {
            places.push((x, mean));
        }
    }
    let most = (MOST_PLACES * pictures.places as f64) as usize;
    if places.len() < LEAST_PLACES || places.len() > most {
        return None;
    }
    let score = |&i: &usize| {
        let grey = pictures.grey(i);
        let far: f64 = places.iter().map(|&(x, mean)| (f64::from(grey[x]) - mean).abs()).sum();
        -(1.0 + far / places.len() as f64).ln()
    };
    let scores = asked.iter().map(score).collect();
    Some((scores, places.into_iter().map(|(x, _)| x).collect(), SEPARATE_CONSTANT))
}

/// Places at which local differences are others in the mean; the score is how much of that pattern an
/// image has.
fn drawn(pictures: &Pictures, all: &Sums, sums: &Sums, asked: &[usize]) -> Found {
    let rest_n = all.n - sums.n;
    let mut places = Vec::new();
    for x in 0..pictures.places {
        let [sum, squares] = [0, 1].map(|i: usize| f64::from(sums.local[i][x]));
        let total = [0, 1].map(|i: usize| f64::from(all.local[i][x]));
        let (mean, _) = moments(sums.n, [sum, squares]);
        let (rest, _) = moments(rest_n, [total[0] - sum, total[1] - squares]);
        let (_, variance) = moments(all.n, total);
        let variance = variance + 1.0;
        let error = (variance * (1.0 / sums.n + 1.0 / rest_n)).sqrt();
        let t = (mean - rest) / error;
        if t.abs() > DIFFERS {
            places.push((t.abs(), x, (mean - rest) / variance));
        }
    }
    places.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    places.truncate(MOST_DRAWN);
    if places.is_empty() {
        return None;
    }
    let score = |&i: &usize| {
        let local = pictures.local(i);
        places.iter().map(|&(_, x, weight)| weight * f64::from(local[x])).sum()
    };
    let scores = asked.iter().map(score).collect();
    Some((scores, places.into_iter().map(|(_, x, _)| x).collect(), SEPARATE_DRAWN))
}

fn mark(class: usize, scores: Vec<f64>, places: &[usize], pictures: &Pictures) -> Mark {
    let (width, height) = (pictures.width, pictures.places / pictures.width);
    let span = |mut along: Vec<usize>, len: usize| {
        // Without the outermost, which may be there by chance.
        along.sort_unstable();
        let spare = along.len() / 10;
        let (from, to) = (along[spare], along[along.len() - 1 - spare] + 1);
        (from as f64 / len as f64, to as f64 / len as f64)
    };
    let across = span(places.iter().map(|x| x % width).collect(), width);
    let down = span(places.iter().map(|x| x / width).collect(), height);
    let third = |(from, to): (f64, f64), names: [&'static str; 3]| {
        names[(((from + to) / 2.0 * 3.0) as usize).min(2)]
    };
    let size = [across.1 - across.0, down.1 - down.0];
    let (row, column) = (third(down, ["upper", "", "lower"]), third(across, ["left", "", "right"]));
    let place = match (row, column) {
        ("", "") => "in the middle".to_string(),
        ("", side) => format!("at the {side}"),
        ("upper", "") => "at the top".to_string(),
        (_, "") => "at the bottom".to_string(),
        (row, column) => format!("at the {row} {column}"),
    };
    Mark { class, scores, place, size, separate: 0.0 }
}
