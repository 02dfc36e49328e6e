//! Marks that lie at the same place in images of one class: a tag, a letter, a ruler, a watermark.
//!
//! All is told from small grey pictures, brought to one size. Half of the images show, class by class,
//! what a mark could be; the other half is asked whether they bear it, so that shuffling the labels of
//! that half says what chance would do. There are two ways to be a mark:
//!
//! - *constant*: places at which the images of a class are far more alike than others, and not just
//!   plain ground; an image bears it if it is nearly the same there;
//! - *drawn*: a pattern of local differences that is in the mean of the class and not of the others
//!   (a faint watermark), or in that of a part of the class; an image bears it if the pattern is in it.
//!   It is not looked for where most pictures of the class have a plain ground, on which the subject is
//!   drawn.

use super::bins::{Binned, Question};
use super::in_parallel;
use super::pictures::{Pictures, PlaceSums};

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
/// The t of a place of a drawn mark, as a share of that of the clearest place, at least.
const CLEAR: f64 = 0.4;
/// The part of a class in which a mark is looked for that the others of it lack: one in so many images.
const PART: usize = 4;
/// Rounds in which that part is looked for, at most.
const ROUNDS: usize = 8;
/// Grey levels within which a pixel is of the ground.
const GROUND: i32 = 10;

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
    /// Standard deviations that must lie between images that bear it and others; see [`separation`].
    pub separate: f64,
}

impl Mark {
    /// Its scores in bins. It is only asked of scores that lie far above all lower ones, whatever the
    /// labels: the fewer questions, the less is due to chance.
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

/// How far the median of the images that bear a mark lies above the mean of others, in their standard
/// deviations. Pictures of different things are told apart by what they show, but not as clearly.
pub fn separation(mut bearers: Vec<f64>, others: &[f64]) -> f64 {
    bearers.sort_by(f64::total_cmp);
    let n = others.len().max(1) as f64;
    let mean = others.iter().sum::<f64>() / n;
    let variance = others.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / n;
    let Some(median) = bearers.get(bearers.len() / 2) else { return 0.0 };
    (median - mean) / variance.sqrt().max(1e-9)
}

/// The marks that `shown` images suggest for each class, and how much the `asked` ones bear them. All
/// are numbers of `pictures`, which have these `labels`.
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
        // What is drawn on plain ground is the subject.
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

/// Places that may be a mark.
struct Found {
    scores: Vec<f64>,
    places: Vec<usize>,
    separate: f64,
}

/// The images that show what a mark of a class could be.
struct Shown<'a> {
    pictures: &'a Pictures,
    /// Those of the class.
    own: Vec<usize>,
    /// Those of all other classes.
    rest: PlaceSums,
}

impl Shown<'_> {
    /// Places at which the class is alike; the score is minus the logarithm of how far an image is from it.
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

    /// Places at which the local differences of `some` images of the class are others in the mean; the
    /// score is how much of that pattern an image has.
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

    /// Those images of the class that may bear a mark which the others of it lack: the part that has most
    /// of what tells this part from other classes. It begins as the whole class and becomes sharper with
    /// each round, as in k-means clustering (S. P. Lloyd, "Least squares quantization in PCM", 1982). What
    /// an image has in common with the pattern is asked of the pattern without that image.
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

/// What was found, with its place in words.
fn mark(class: usize, found: Found, pictures: &Pictures) -> Mark {
    let Found { scores, places, separate } = found;
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
    Mark { class, scores, place, size, separate }
}
