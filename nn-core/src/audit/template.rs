//! Templates: what many pictures of a folder have in common is no evidence of a copy.
//!
//! Forms of one kind, pages of graph paper, a camera that stands still: their pictures agree nearly
//! everywhere, and are different pictures still. Where five or more pictures lie on each other like
//! that, the median of them is the template. A copy must agree in what is left once the template is
//! taken away: there, different contents agree as little as any two pictures do.

use super::blocks::BLOCK;
use super::compare::Comparable;
use super::difference::laid;
use super::luma::Luma;
use super::placement::Placement;
use super::sets::Sets;
use super::symmetry::Symmetry;
use super::tone::Tone;
use rayon::prelude::*;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

/// Different pictures that make a template.
const LEAST: usize = 5;
/// Pictures whose median the template is, at most.
const SAMPLE: usize = 41;
/// Variance of what compression and scaling leave, in squared grey levels.
const NOISE: f32 = 4.0;
/// What edges of the template add to that, where a picture lies a little off, as a share of their variance.
const EDGES: f32 = 0.03;
/// The mean square, over a block, from which something was put on the template.
const CONTENT: f32 = 20.0;
/// The share of that, counted in both pictures, that differs in another block.
const OTHER: f32 = 0.5;
/// The mean square by which a single block tells pictures apart.
const STRONG: f32 = 100.0;
/// The share of the pictures on a template that must differ in colour from the first for colour to count.
const COLOURED: f32 = 0.3;
/// How much lighter or darker copies may be where colour counts, in the mean, in grey levels.
const SHADE: f32 = 10.0;
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
    sizes: &[(f32, f32)],
    alike: &[Alike],
    picture: impl Fn(usize) -> Option<Comparable> + Sync,
) -> Vec<bool> {
    let shared = shared_frames(sizes, alike);
    let lies = Lies { shared: &shared, via: via(&shared, alike), sizes };
    let mut of_template: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (i, pair) in alike.iter().enumerate().filter(|(_, pair)| pair.is_copy) {
        if let Some(number) = lies.on(pair.a).or_else(|| lies.on(pair.b)) {
            of_template.entry(number).or_default().push(i);
        }
    }
    let of_template: Vec<(usize, Vec<usize>)> = of_template.into_iter().collect();
    // No more templates are in memory than are being asked.
    let told_apart = |(number, pairs): &(usize, Vec<usize>)| -> Vec<(usize, usize)> {
        let Some(template) = Template::of(&shared.members[*number], &picture) else {
            return Vec::new();
        };
        let is_told = |i: &&usize| {
            lies.tell_apart(&alike[**i], *number, &template, &picture).unwrap_or(false)
        };
        pairs.par_iter().filter(is_told).map(|&i| (i, *number)).collect()
    };
    let told: Vec<(usize, usize)> =
        of_template.par_iter().with_max_len(1).flat_map_iter(told_apart).collect();
    let mut differs: Vec<Option<usize>> = vec![None; alike.len()];
    told.into_iter().for_each(|(i, number)| differs[i] = Some(number));
    // Many versions of one picture are no template: there must be different ones.
    let distinct = shared.distinct(sizes.len(), alike, &differs);
    differs.iter().map(|number| number.is_some_and(|number| distinct[number] >= LEAST)).collect()
}

/// Pictures that lie on each other edge to edge, directly or through others.
struct SharedFrames {
    /// The members of each group, and how the first one is laid to become each.
    members: Vec<Vec<(usize, Symmetry)>>,
    /// The group of each member, and how it lies in it.
    of: HashMap<usize, (usize, Symmetry)>,
}

fn shared_frames(sizes: &[(f32, f32)], alike: &[Alike]) -> SharedFrames {
    let mut ways: HashMap<usize, Vec<(usize, Symmetry)>> = HashMap::new();
    for pair in alike {
        if let Some(symmetry) = edge_to_edge(&pair.placement, sizes[pair.a], sizes[pair.b]) {
            ways.entry(pair.a).or_default().push((pair.b, symmetry));
            ways.entry(pair.b).or_default().push((pair.a, symmetry.inverse()));
        }
    }
    let mut shared = SharedFrames { members: Vec::new(), of: HashMap::new() };
    let mut starts: Vec<usize> = ways.keys().copied().collect();
    starts.sort_unstable();
    for start in starts {
        if shared.of.contains_key(&start) {
            continue;
        }
        let group = shared.members.len();
        let mut members = vec![(start, Symmetry::ALL[0])];
        shared.of.insert(start, (group, Symmetry::ALL[0]));
        let mut next = 0;
        while let Some(&(from, so_far)) = members.get(next) {
            next += 1;
            for &(to, symmetry) in &ways[&from] {
                let laid = so_far.then(symmetry);
                if let Entry::Vacant(place) = shared.of.entry(to) {
                    place.insert((group, laid));
                    members.push((to, laid));
                }
            }
        }
        shared.members.push(members);
    }
    shared
}

impl SharedFrames {
    /// The group of a picture, if there is a template in it.
    fn template(&self, i: usize) -> Option<usize> {
        let &(group, _) = self.of.get(&i)?;
        (self.members[group].len() >= LEAST).then_some(group)
    }

    /// How many different pictures there are in each group.
    fn distinct(&self, count: usize, alike: &[Alike], differs: &[Option<usize>]) -> Vec<usize> {
        let mut sets = Sets::new(count);
        for (pair, differs) in alike.iter().zip(differs) {
            if pair.is_copy && differs.is_none() {
                sets.join(pair.a, pair.b);
            }
        }
        let roots = |group: &Vec<(usize, Symmetry)>| {
            let mut roots: Vec<usize> = group.iter().map(|&(i, _)| sets.root(i)).collect();
            roots.sort_unstable();
            roots.dedup();
            roots.len()
        };
        self.members.iter().map(roots).collect()
    }
}

/// How `a` is laid to become `b`, which lies on it as `placement` says, if it does so edge to edge.
fn edge_to_edge(placement: &Placement, a: (f32, f32), b: (f32, f32)) -> Option<Symmetry> {
    const TOLERANCE: f32 = 0.03;
    const SHIFT: f32 = 4.0;
    let symmetry = placement.symmetry();
    let framed = Placement::of_frames(symmetry, a, b);
    let near = |x: f32, y: f32| (x - y).abs() < TOLERANCE;
    let middle = (b.0 / 2.0, b.1 / 2.0);
    let (is, would_be) = (placement.apply(middle.0, middle.1), framed.apply(middle.0, middle.1));
    let shift = (is.0 - would_be.0).hypot(is.1 - would_be.1);
    let alike = near(placement.xx, framed.xx)
        && near(placement.xy, framed.xy)
        && near(placement.yx, framed.yx)
        && near(placement.yy, framed.yy)
        && shift < SHIFT;
    alike.then_some(symmetry)
}

/// What several pictures have in common.
struct Template {
    picture: Luma,
    /// Whether the pictures on it are of different colours.
    differs_in_colour: bool,
}

impl Template {
    /// The median of `members`, pixel by pixel, laid as the first of them.
    fn of(
        members: &[(usize, Symmetry)],
        picture: &(impl Fn(usize) -> Option<Comparable> + Sync),
    ) -> Option<Self> {
        let step = members.len().div_ceil(SAMPLE);
        let number = members.first()?.0;
        let first = picture(number)?;
        let sample: Vec<(usize, Symmetry)> = members.iter().step_by(step).copied().collect();
        let laid: Vec<(Vec<f32>, bool)> = sample
            .par_iter()
            .filter_map(|&(i, symmetry)| {
                let other = picture(i)?;
                // What leads from the first to this one leads back from here.
                let placement = framed(symmetry.inverse(), other.fine(), first.fine());
                let mut laid = laid(other.fine(), first.fine(), &placement);
                let tone = Tone::between(&laid, &first.fine().pixels);
                tone.apply(&mut laid);
                Some((laid, differ_in_colour(&other, &first, &placement)))
            })
            .collect();
        let coloured = laid.iter().filter(|(_, differs)| *differs).count();
        let differs_in_colour = coloured as f32 > COLOURED * laid.len() as f32;
        let values: Vec<Vec<f32>> = laid.into_iter().map(|(values, _)| values).collect();
        let median = |i: usize| {
            let mut at: Vec<f32> = values.iter().map(|v| v[i]).filter(|v| !v.is_nan()).collect();
            let middle = at.len() / 2;
            if at.is_empty() { 0.0 } else { *at.select_nth_unstable_by(middle, f32::total_cmp).1 }
        };
        let &Luma { width, height, .. } = first.fine();
        let pixels = (0..width * height).map(median).collect();
        Some(Self { picture: Luma { width, height, pixels }, differs_in_colour })
    }

    /// It, as it lies on a member, edge to edge.
    fn laid_on(&self, symmetry: Symmetry, member: &Luma) -> Luma {
        let mut pixels = laid(&self.picture, member, &framed(symmetry, &self.picture, member));
        pixels.iter_mut().filter(|value| value.is_nan()).for_each(|value| *value = 0.0);
        Luma { width: member.width, height: member.height, pixels }
    }
}

/// How a picture that is no member lies on one that is: by its number, and the placement that leads there.
type Via = HashMap<usize, (usize, Placement)>;

/// The way of parts of pictures, and of whatever else lies on a member, to a template.
fn via(shared: &SharedFrames, alike: &[Alike]) -> Via {
    let mut via = Via::new();
    for pair in alike {
        match (shared.template(pair.a).is_some(), shared.template(pair.b).is_some()) {
            (true, false) => drop(via.entry(pair.b).or_insert((pair.a, pair.placement))),
            (false, true) => {
                if let Some(back) = pair.placement.inverted() {
                    via.entry(pair.a).or_insert((pair.b, back));
                }
            }
            _ => {}
        }
    }
    via
}

/// How templates lie on pictures.
struct Lies<'a> {
    shared: &'a SharedFrames,
    via: Via,
    sizes: &'a [(f32, f32)],
}

impl Lies<'_> {
    /// The number of the template that a picture is on.
    fn on(&self, i: usize) -> Option<usize> {
        self.shared.template(i).or_else(|| self.shared.template(self.via.get(&i)?.0))
    }

    /// Whether two that look alike have different contents on a template, by its number; None if one of them
    /// cannot be read any more.
    fn tell_apart(
        &self,
        pair: &Alike,
        number: usize,
        template: &Template,
        picture: &(impl Fn(usize) -> Option<Comparable> + Sync),
    ) -> Option<bool> {
        let (a, b) = (picture(pair.a)?, picture(pair.b)?);
        // Copies on one template lie on each other as they lie on it: edge to edge.
        let placement = match (self.shared.of.get(&pair.a), self.shared.of.get(&pair.b)) {
            (Some(&(g, of_a)), Some(&(h, of_b))) if g == h => {
                let sizes = (self.sizes[pair.a], self.sizes[pair.b]);
                let symmetry = edge_to_edge(&pair.placement, sizes.0, sizes.1);
                framed(symmetry.unwrap_or(of_a.inverse().then(of_b)), a.fine(), b.fine())
            }
            _ => pair.placement,
        };
        let on_b = match self.laid_on((number, template), pair.b, b.fine(), picture) {
            Some(on_b) => on_b,
            None => {
                let pixels = self.laid_on((number, template), pair.a, a.fine(), picture)?;
                laid(&Luma { pixels, ..*a.fine() }, b.fine(), &placement)
            }
        };
        let colours = template.differs_in_colour && differ_in_colour(&a, &b, &placement);
        Some(colours || tells_apart(&a, &b, &placement, &on_b))
    }

    /// A template, as it lies on picture `i`, pixel by pixel; None if it does not.
    fn laid_on(
        &self,
        (number, template): (usize, &Template),
        i: usize,
        fine: &Luma,
        picture: &(impl Fn(usize) -> Option<Comparable> + Sync),
    ) -> Option<Vec<f32>> {
        if self.on(i) != Some(number) {
            return None;
        }
        if let Some(&(group, symmetry)) = self.shared.of.get(&i)
            && group == number
        {
            return Some(laid(&template.picture, fine, &framed(symmetry, &template.picture, fine)));
        }
        let (member, placement) = self.via.get(&i)?;
        let &(_, symmetry) = self.shared.of.get(member)?;
        let on_member = template.laid_on(symmetry, picture(*member)?.fine());
        Some(laid(&on_member, fine, placement))
    }
}

/// Whether `b`, which lies on `a` as `placement` says, is of another colour, or lighter or darker.
fn differ_in_colour(a: &Comparable, b: &Comparable, placement: &Placement) -> bool {
    if a.colours_differ(b, placement) {
        return true;
    }
    let laid = laid(a.fine(), b.fine(), placement);
    let mut toned = laid.clone();
    Tone::between(&laid, &b.fine().pixels).apply(&mut toned);
    let shades = toned.iter().zip(&laid).map(|(x, y)| (x - y).abs()).filter(|x| !x.is_nan());
    let (sum, n) = shades.fold((0.0, 0.0), |(sum, n), shade| (sum + shade, n + 1.0));
    sum > SHADE * n
}

/// Whether `a` and `b`, which lies on it as `placement` says, have different contents on `template`,
/// which is given as it lies on `b`.
fn tells_apart(a: &Comparable, b: &Comparable, placement: &Placement, template: &[f32]) -> bool {
    let b = b.fine();
    let content = |values: &[f32]| -> Vec<f32> {
        let hidden =
            values.iter().zip(template).map(|(v, t)| if t.is_nan() { f32::NAN } else { *v });
        let mut values: Vec<f32> = hidden.collect();
        Tone::between(&values, template).apply(&mut values);
        values.iter().zip(template).map(|(v, t)| v - t).collect()
    };
    let (of_a, of_b) = (content(&laid(a.fine(), b, placement)), content(&b.pixels));
    let (mut with_content, mut others, mut strong) = (0, 0, 0);
    let across = b.width.div_ceil(BLOCK);
    let mut all = vec![ContentSums::default(); across * b.height.div_ceil(BLOCK)];
    for (i, (x, y)) in of_a.iter().zip(&of_b).enumerate().filter(|(_, (x, y))| !(*x + *y).is_nan())
    {
        let sums = &mut all[i / b.width / BLOCK * across + i % b.width / BLOCK];
        sums.n += 1.0;
        sums.either += x * x + y * y;
        sums.apart += (x - y) * (x - y);
        sums.template += template[i] - 128.0;
        sums.squares += (template[i] - 128.0) * (template[i] - 128.0);
    }
    for sums in all.iter().filter(|sums| sums.n > 0.0) {
        let (either, apart) = (sums.either / sums.n, sums.apart / sums.n);
        let mean = sums.template / sums.n;
        let edges = EDGES * (sums.squares / sums.n - mean * mean).max(0.0);
        if either > CONTENT + edges {
            with_content += 1;
            let is_other = apart > OTHER * (either + 2.0 * (NOISE + edges));
            others += usize::from(is_other);
            strong += usize::from(is_other && apart > STRONG + edges);
        }
    }
    strong > 0 || others as f32 > (SLACK * with_content as f32).max(1.0)
}

/// ContentSums over a block.
#[derive(Clone, Default)]
struct ContentSums {
    n: f32,
    /// Squares of what is on the template in either picture.
    either: f32,
    /// Squares of how that differs.
    apart: f32,
    template: f32,
    squares: f32,
}

/// How `b`, which `symmetry` makes of `a`, lies on it edge to edge.
fn framed(symmetry: Symmetry, a: &Luma, b: &Luma) -> Placement {
    let size = |picture: &Luma| (picture.width as f32, picture.height as f32);
    Placement::of_frames(symmetry, size(a), size(b))
}
