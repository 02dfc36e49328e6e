//! Detection of marks at the same position in images of one class: a tag, a letter, a ruler, a watermark.
//!
//! The search uses small grey pictures of one size. Candidate marks of each class are found in one
//! half of the images (`shown`) and scored in the other half (`asked`), so that a permutation test
//! on the labels of the second half is valid. There are two kinds of marks:
//!
//! - *constant*: pixels at which the images of a class vary far less than others, without being
//!   plain background; an image has the mark if it has nearly the same values there;
//! - *drawn*: a pattern of local differences in the mean of the class but not of the others (a
//!   faint watermark), or in the mean of a part of the class; an image has the mark if it
//!   correlates with the pattern. It is not searched where most pictures of the class have a plain
//!   background, on which the subject is drawn.

use super::bins::{Binned, Question};
use super::in_parallel;
use super::pictures::{Pictures, PlaceSums};

/// The minimum number of images of a class, in the first half, for its variance to be estimated.
const LEAST_ALIKE: usize = 4;
/// The maximum standard deviation of a class at a constant pixel, relative to that of the others.
const ALIKE: f64 = 0.3;
/// The maximum standard deviation of a class at a constant pixel, in grey levels.
const MOST_SPREAD: f64 = 12.0;
/// The minimum number of pixels of a constant mark.
const LEAST_PLACES: usize = 2;
/// The maximum share of the picture's pixels in a mark: anything larger is no mark.
const MOST_PLACES: f64 = 0.15;
/// The values of [`Mark::separate`]: for constant marks, whose scores are logarithms, and for drawn ones.
const SEPARATE_CONSTANT: f64 = 3.0;
const SEPARATE_DRAWN: f64 = 4.0;
/// The maximum area of the bounding box of a mark, as a share of the picture.
const MOST_AREA: f64 = 0.3;
/// The minimum t statistic of a pixel of a drawn mark.
const DIFFERS: f64 = 3.5;
/// The maximum number of pixels of a drawn mark.
const MOST_DRAWN: usize = 600;
/// The minimum t statistic of a pixel of a drawn mark, relative to the largest one.
const CLEAR: f64 = 0.4;
/// A mark is also searched in a part of a class: one in this many images.
const PART: usize = 4;
/// The maximum number of iterations of the search for that part.
const ROUNDS: usize = 8;
/// The tolerance, in grey levels, within which a pixel is background.
const GROUND: i32 = 10;

/// A candidate mark of a class.
pub struct Mark {
    /// The class.
    pub class: usize,
    /// The score of each tested image: how clearly it has the mark.
    pub scores: Vec<f64>,
    /// Its position, in words.
    pub place: String,
    /// Its width and height as shares of those of the picture.
    pub size: [f64; 2],
    /// The minimum separation between images with the mark and others, in standard deviations; see
    /// [`separation`].
    pub separate: f64,
}

impl Mark {
    /// Its scores in bins. The questions are limited to high scores that are well separated from
    /// all lower ones, independent of the labels: fewer questions increase the power of the test.
    pub fn binned(&self) -> Binned {
        let mut binned = Binned::of_numbers(&self.scores);
        let is_asked = |question: &Question| {
            let (high, low): (Vec<usize>, Vec<usize>) =
                (0..self.scores.len()).partition(|&image| binned.holds(*question, image));
            let scores = |images: Vec<usize>| images.into_iter().map(|i| self.scores[i]).collect();
            let (high, low): (Vec<f64>, Vec<f64>) = (scores(high), scores(low));
            let is_high = question.from == 0 && question.not;
            is_high && separation(high, &low) >= self.separate
        };
        let asked = binned.questions.iter().copied().filter(is_asked).collect();
        binned.questions = asked;
        binned
    }
}

/// The difference between the median score of the images with a mark and the mean score of the others, in
/// standard deviations of the others. The content of pictures also separates classes, but not as clearly.
pub fn separation(mut bearers: Vec<f64>, others: &[f64]) -> f64 {
    bearers.sort_by(f64::total_cmp);
    let n = others.len().max(1) as f64;
    let mean = others.iter().sum::<f64>() / n;
    let variance = others.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / n;
    let Some(median) = bearers.get(bearers.len() / 2) else { return 0.0 };
    (median - mean) / variance.sqrt().max(1e-9)
}

/// The candidate marks of each class, found in the images `shown`, and their scores in the images
/// `asked`. Both are indices into `pictures`, which have these `labels`.
pub fn marks(
    pictures: &Pictures,
    labels: &[usize],
    classes: usize,
    (shown, asked): (&[usize], &[usize]),
) -> Vec<Mark> {
    let all = pictures.sums(shown);
    let of_class = |class: usize| {
        let own: Vec<usize> = shown.iter().copied().filter(|&i| labels[i] == class).collect();
        if own.is_empty() || own.len() == shown.len() {
            return Vec::new();
        }
        let shown = Shown { pictures, rest: all.without(&pictures.sums(&own)), own };
        let mut found = vec![shown.constant(asked)];
        // What is drawn on a plain background is the subject.
        let on_ground = |&&i: &&usize| pictures.ground[i].is_some();
        if 2 * shown.own.iter().filter(on_ground).count() <= shown.own.len() {
            found.push(shown.drawn(&shown.own, asked));
            found.extend(shown.most_alike().map(|some| shown.drawn(&some, asked)));
        }
        let marks = found.into_iter().flatten().map(|found| mark(class, found, pictures));
        marks.filter(|mark| mark.size[0] * mark.size[1] <= MOST_AREA).collect::<Vec<Mark>>()
    };
    in_parallel(classes, of_class).into_iter().flatten().collect()
}

/// The pixels of a candidate mark, and its scores.
struct Found {
    scores: Vec<f64>,
    places: Vec<usize>,
    separate: f64,
}

/// The images in which candidate marks of a class are searched.
struct Shown<'a> {
    pictures: &'a Pictures,
    /// The images of the class.
    own: Vec<usize>,
    /// The sums over the images of all other classes.
    rest: PlaceSums,
}

impl Shown<'_> {
    /// Pixels at which the class varies little; the score is minus the logarithm of the mean
    /// distance of an image from the class mean there.
    fn constant(&self, asked: &[usize]) -> Option<Found> {
        let Self { pictures, own, rest } = self;
        if own.len() < LEAST_ALIKE {
            return None;
        }
        let sums = pictures.sums(own);
        let mut places = Vec::new();
        for x in 0..pictures.places {
            let ((mean, variance), (_, rest)) = (sums.grey_at(x), rest.grey_at(x));
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
        let places = places.iter().map(|(x, _)| *x).collect();
        Some(Found { scores, places, separate: SEPARATE_CONSTANT })
    }

    /// Pixels at which the mean local difference of `some` images of the class differs from that of
    /// the other classes; the score is the product of an image with that pattern.
    fn drawn(&self, some: &[usize], asked: &[usize]) -> Option<Found> {
        let Self { pictures, rest, .. } = self;
        let sums = pictures.sums(some);
        let mut places = Vec::new();
        for x in 0..pictures.places {
            let ((mean, within), (rest_mean, elsewhere)) = (sums.local_at(x), rest.local_at(x));
            let total = sums.n + rest.n;
            let between = sums.n * rest.n / total * (mean - rest_mean).powi(2);
            let variance = (sums.n * within + rest.n * elsewhere + between) / total + 1.0;
            let error = (variance * (1.0 / sums.n + 1.0 / rest.n)).sqrt();
            let t = (mean - rest_mean) / error;
            if t.abs() > DIFFERS {
                places.push((t.abs(), x, (mean - rest_mean) / variance));
            }
        }
        places.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let clear = CLEAR * places.first()?.0;
        places.retain(|place| place.0 >= clear);
        places.truncate(MOST_DRAWN);
        let score = |&i: &usize| {
            let local = pictures.local(i);
            places.iter().map(|&(_, x, weight)| weight * f64::from(local[x])).sum()
        };
        let scores = asked.iter().map(score).collect();
        let places = places.iter().map(|(_, x, _)| *x).collect();
        Some(Found { scores, places, separate: SEPARATE_DRAWN })
    }

    /// The part of the class that may share a mark which the rest of the class lacks: the images
    /// that correlate most with the pattern that distinguishes this part from other classes. The
    /// part starts as the whole class and is refined iteratively, as in k-means clustering (S. P.
    /// Lloyd, "Least squares quantization in PCM", 1982). The correlation of an image is computed
    /// with the pattern of the other images of the part.
    fn most_alike(&self) -> Option<Vec<usize>> {
        let Self { pictures, own, rest } = self;
        let part = own.len().div_ceil(PART);
        if part < LEAST_ALIKE {
            return None;
        }
        let rest: Vec<(f32, f32)> = (0..pictures.places)
            .map(|x| rest.local_at(x))
            .map(|(mean, variance)| (mean as f32, 1.0 / (variance as f32 + 1.0)))
            .collect();
        let weights: Vec<f32> = rest.iter().map(|(_, weight)| *weight).collect();
        let itself: Vec<f64> = own.iter().map(|&i| pictures.squares(i, &weights)).collect();
        let mut some = own.clone();
        for _ in 0..ROUNDS {
            let sums = pictures.sums(&some).local;
            let pattern = |n: usize| -> Vec<f32> {
                let of =
                    |(sum, (mean, weight)): (&f32, &(f32, f32))| (sum / n as f32 - mean) * weight;
                sums[0].iter().zip(&rest).map(of).collect()
            };
            let [of_all, of_others] = [some.len(), some.len() - 1].map(pattern);
            let score = |(&i, itself): (&usize, &f64)| match some.contains(&i) {
                true => pictures.product(i, &of_others) - itself / (some.len() - 1) as f64,
                false => pictures.product(i, &of_all),
            };
            let scores = own.iter().zip(&itself).map(score);
            let mut scored: Vec<(f64, usize)> = scores.zip(own.iter().copied()).collect();
            scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            let next: Vec<usize> = scored[..part].iter().map(|(_, i)| *i).collect();
            if next == some {
                break;
            }
            some = next;
        }
        Some(some)
    }
}

/// Converts the result of a search, with the position in words.
fn mark(class: usize, found: Found, pictures: &Pictures) -> Mark {
    let Found { scores, places, separate } = found;
    let (width, height) = (pictures.width, pictures.places / pictures.width);
    let span = |mut along: Vec<usize>, len: usize| {
        // Without the outermost pixels, which may be there by chance.
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
    Mark { class, scores, place, size, separate }
}
