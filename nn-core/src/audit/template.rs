//! What much of a folder has in common counts for nothing.
//!
//! Forms of one kind, pages of graph paper, a camera that stands still: their pictures agree nearly
//! everywhere, and are different pictures still. Where five or more pictures lie on each other like
//! that, the median of them is the template. A copy must agree in what is left once the template is
//! taken away: there, different contents agree as little as any two pictures do.

use super::compare::Comparable;
use super::difference::{blocks, laid};
use super::luma::Luma;
use super::placement::Placement;
use super::symmetry::Symmetry;
use super::tone::Tone;
use rayon::prelude::*;
use std::collections::HashMap;

/// Different pictures that make a template.
const LEAST: usize = 5;
/// Pictures whose median the template is, at most.
const SAMPLE: usize = 41;
/// Variance of what compression and scaling leave, in squared grey levels.
const NOISE: f32 = 4.0;
/// The mean square, over a block, from which something was put on the template.
const CONTENT: f32 = 20.0;
/// The share of that, counted in both pictures, that differs in another block.
const OTHER: f32 = 0.5;
/// The share of blocks with content that may be others in a copy.
const SLACK: f32 = 0.05;

/// Two pictures that look alike, by their numbers.
#[derive(Debug, Clone, Copy)]
pub struct Alike {
    pub a: usize,
    pub b: usize,
    /// How `b` lies on `a`.
    pub placement: Placement,
    /// Whether they are taken for copies.
    pub is_copy: bool,
}

/// For each of `alike`, whether it is a copy only by the template that the two are on.
/// `picture(i)` is that of number `i`.
pub fn only_by_template(
    count: usize,
    alike: &[Alike],
    picture: impl Fn(usize) -> Option<Comparable> + Sync,
) -> Vec<bool> {
    let shared = shared_frames(count, alike);
    let templates: Vec<Option<Template>> =
        shared.members.par_iter().map(|members| Template::of(members, &picture)).collect();
    let of = |i: usize| {
        let number = *shared.of.get(&i)?;
        templates[number].as_ref().map(|template| (number, template))
    };
    let differs: Vec<Option<usize>> = alike
        .par_iter()
        .map(|pair| {
            if !pair.is_copy {
                return None;
            }
            let (number, template) = of(pair.a).or_else(|| of(pair.b))?;
            let (a, b) = (picture(pair.a)?, picture(pair.b)?);
            let [on_a, on_b] = [pair.a, pair.b].map(|i| shared.of.get(&i) == Some(&number));
            // Copies on one template lie on each other as they lie on it.
            let placement =
                if on_a && on_b { framed(a.fine(), b.fine()) } else { pair.placement };
            template.tells_apart(&a, &b, &placement, on_a).then_some(number)
        })
        .collect();
    // Many versions of one picture are no template: there must be different ones.
    let distinct = shared.distinct(count, alike, &differs);
    differs.iter().map(|number| number.is_some_and(|number| distinct[number] >= LEAST)).collect()
}

/// Pictures that lie on each other edge to edge, directly or through others.
struct SharedFrames {
    members: Vec<Vec<usize>>,
    /// The group of each member.
    of: HashMap<usize, usize>,
}

fn shared_frames(count: usize, alike: &[Alike]) -> SharedFrames {
    let mut sets = Sets::new(count);
    alike.iter().filter(|pair| is_upright(&pair.placement)).for_each(|pair| sets.join(pair.a, pair.b));
    let mut by_root: HashMap<usize, Vec<usize>> = HashMap::new();
    for pair in alike {
        for i in [pair.a, pair.b] {
            by_root.entry(sets.root(i)).or_default().push(i);
        }
    }
    let mut members: Vec<Vec<usize>> = by_root.into_values().collect();
    members.iter_mut().for_each(|group| {
        group.sort_unstable();
        group.dedup();
    });
    members.retain(|group| group.len() >= LEAST);
    members.sort_unstable();
    let of = members.iter().enumerate().flat_map(|(g, group)| group.iter().map(move |&i| (i, g)));
    let of = of.collect();
    SharedFrames { members, of }
}

impl SharedFrames {
    /// How many different pictures there are in each group.
    fn distinct(&self, count: usize, alike: &[Alike], differs: &[Option<usize>]) -> Vec<usize> {
        let mut sets = Sets::new(count);
        for (pair, differs) in alike.iter().zip(differs) {
            if pair.is_copy && differs.is_none() {
                sets.join(pair.a, pair.b);
            }
        }
        let roots = |group: &Vec<usize>| {
            let mut roots: Vec<usize> = group.iter().map(|&i| sets.root(i)).collect();
            roots.sort_unstable();
            roots.dedup();
            roots.len()
        };
        self.members.iter().map(roots).collect()
    }
}

/// Whether a placement neither turns nor mirrors, and hardly scales.
fn is_upright(placement: &Placement) -> bool {
    let near = |value: f32, to: f32| (value - to).abs() < 0.03;
    near(placement.xx, 1.0) && near(placement.yy, 1.0) && near(placement.xy, 0.0) && near(placement.yx, 0.0)
}

/// Sets of numbers that are joined (a forest whose roots are the lowest numbers).
pub struct Sets(std::cell::RefCell<Vec<usize>>);

impl Sets {
    /// Each number below `count` in a set of its own.
    pub fn new(count: usize) -> Self {
        Self(std::cell::RefCell::new((0..count).collect()))
    }

    /// The lowest number of the set that `i` is in.
    pub fn root(&self, mut i: usize) -> usize {
        let mut parents = self.0.borrow_mut();
        while parents[i] != i {
            parents[i] = parents[parents[i]];
            i = parents[i];
        }
        i
    }

    /// Joins the sets of `a` and `b`.
    pub fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0.borrow_mut()[a.max(b)] = a.min(b);
    }
}

/// What several pictures have in common.
struct Template {
    picture: Luma,
}

impl Template {
    /// The median of `members`, pixel by pixel.
    fn of(members: &[usize], picture: &(impl Fn(usize) -> Option<Comparable> + Sync)) -> Option<Self> {
        let step = members.len().div_ceil(SAMPLE);
        let sample = members.iter().step_by(step);
        let sample: Vec<Luma> = sample.filter_map(|&i| Some(picture(i)?.fine().clone())).collect();
        let first = sample.first()?.clone();
        let values: Vec<Vec<f32>> = sample
            .par_iter()
            .map(|other| {
                let mut laid = laid(other, &first, &framed(other, &first));
                let tone = Tone::between(&laid, &first.pixels);
                laid.iter_mut().for_each(|value| *value = tone.of(*value));
                laid
            })
            .collect();
        let median = |i: usize| {
            let mut at: Vec<f32> = values.iter().map(|v| v[i]).filter(|v| !v.is_nan()).collect();
            let middle = at.len() / 2;
            if at.is_empty() { 0.0 } else { *at.select_nth_unstable_by(middle, f32::total_cmp).1 }
        };
        let pixels = (0..first.pixels.len()).map(median).collect();
        Some(Self { picture: Luma { pixels, ..first } })
    }

    /// Whether `a` and `b` have different contents on it. It lies on `a` edge to edge, or else on `b`.
    fn tells_apart(&self, a: &Comparable, b: &Comparable, placement: &Placement, on_a: bool) -> bool {
        let (a, b) = (a.fine(), b.fine());
        let of_a = laid(a, b, placement);
        let template = if on_a {
            let mut within = laid(&self.picture, a, &framed(&self.picture, a));
            within.iter_mut().for_each(|value| *value = if value.is_nan() { 0.0 } else { *value });
            let within = Luma { width: a.width, height: a.height, pixels: within };
            laid(&within, b, placement)
        } else {
            laid(&self.picture, b, &framed(&self.picture, b))
        };
        let content = |values: &[f32]| -> Vec<f32> {
            let hidden = values.iter().zip(&template).map(|(v, t)| if t.is_nan() { f32::NAN } else { *v });
            let values: Vec<f32> = hidden.collect();
            let tone = Tone::between(&values, &template);
            values.iter().zip(&template).map(|(v, t)| tone.of(*v) - t).collect()
        };
        let (of_a, of_b) = (content(&of_a), content(&b.pixels));
        let (mut with_content, mut others) = (0, 0);
        for block in blocks(b.width, b.height) {
            let (mut n, mut either, mut apart) = (0.0, 0.0, 0.0);
            for i in block.filter(|&i| !of_a[i].is_nan() && !of_b[i].is_nan()) {
                n += 1.0;
                either += of_a[i] * of_a[i] + of_b[i] * of_b[i];
                apart += (of_a[i] - of_b[i]) * (of_a[i] - of_b[i]);
            }
            if either > CONTENT * n {
                with_content += 1;
                others += usize::from(apart > OTHER * (either + 2.0 * NOISE * n));
            }
        }
        if std::env::var("NN_DUMP").is_ok() { eprintln!("\nTPL {with_content} {others} {:?}", placement); }
        others as f32 > (SLACK * with_content as f32).max(1.0)
    }
}

/// How one picture lies on another edge to edge.
fn framed(a: &Luma, b: &Luma) -> Placement {
    let size = |picture: &Luma| (picture.width as f32, picture.height as f32);
    Placement::of_frames(Symmetry::ALL[0], size(a), size(b))
}
