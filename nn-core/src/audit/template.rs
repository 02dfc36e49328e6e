//! Templates: what many pictures of a folder have in common is no evidence of a copy.
//!
//! Examples are forms, pages of graph paper, and pictures of a fixed camera: the pictures agree
//! nearly everywhere, but are different. If five or more pictures are aligned in this way, their
//! pixelwise median is the template. Copies must also agree after the template is subtracted, where
//! different contents agree as little as any two pictures.

use super::agreement::ON_THE_BORDER;
use super::compare::Comparable;
use super::comparison::MIN_EVIDENCE;
use super::content::tells_apart;
use super::difference::{Overlay, laid};
use super::luma::Luma;
use super::placement::Placement;
use super::symmetry::Symmetry;
use super::tone::Tone;
use crate::data::DisjointSets;
use rayon::prelude::*;
use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

/// The minimum number of different pictures on a template.
const LEAST: usize = 5;
/// The maximum number of pictures that the median is computed from.
const SAMPLE: usize = 41;
/// The number of templates that pictures outside their groups are tried on: the largest groups'.
const TRIED: usize = 8;
/// The minimum share of same blocks, of those with contrast in it or in a template, of a picture that has
/// the background of the template.
const SAME_GROUND: f32 = 0.33;
/// The share of the pictures on a template that must differ in colour from the first for colour to
/// be compared.
const COLOURED: f32 = 0.3;
/// The largest difference of brightness of copies if colour is compared: the mean, in grey levels.
const SHADE: f32 = 10.0;

/// Two pictures that look alike, by their indices.
#[derive(Debug, Clone, Copy)]
pub struct Alike {
    pub a: usize,
    pub b: usize,
    /// The placement of `b` on `a`.
    pub placement: Placement,
    /// Whether they count as copies so far.
    pub is_copy: bool,
}

/// For each pair of `alike`, whether it only looks like a copy because of a common template.
/// `picture(i)` returns the picture with index `i`.
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
    let others = lies.on_no_template(alike);
    let largest = if others.is_empty() { Vec::new() } else { shared.largest() };
    for &number in &largest {
        of_template.entry(number).or_default();
    }
    let of_template: Vec<(usize, Vec<usize>)> = of_template.into_iter().collect();
    // Limits the number of templates that are in memory at a time.
    let told_apart = |(number, pairs): &(usize, Vec<usize>)| -> Vec<(usize, usize)> {
        let Some(template) = Template::of(&shared.members[*number], &picture) else {
            return Vec::new();
        };
        let is_told = |i: &&usize| {
            lies.tell_apart(&alike[**i], *number, &template, &picture).unwrap_or(false)
        };
        let is_other_told =
            |i: &&usize| template.tells_apart_others(&alike[**i], &picture).unwrap_or(false);
        let others: &[usize] = if largest.contains(number) { &others } else { &[] };
        let told = pairs.par_iter().filter(is_told).chain(others.par_iter().filter(is_other_told));
        told.map(|&i| (i, *number)).collect()
    };
    let told: Vec<(usize, usize)> =
        of_template.par_iter().with_max_len(1).flat_map_iter(told_apart).collect();
    let mut differs: Vec<Option<usize>> = vec![None; alike.len()];
    let members = |number: usize| shared.members[number].len();
    for (i, number) in told {
        if differs[i].is_none_or(|before| members(before) < members(number)) {
            differs[i] = Some(number);
        }
    }
    // Many versions of one picture are no template: enough pictures must be different.
    let distinct = shared.distinct(sizes.len(), alike, &differs);
    differs.iter().map(|number| number.is_some_and(|number| distinct[number] >= LEAST)).collect()
}

/// Groups of pictures that are aligned edge to edge, directly or transitively.
struct SharedFrames {
    /// The members of each group, and the symmetry that transforms the first one to each.
    members: Vec<Vec<(usize, Symmetry)>>,
    /// The group of each member, and its symmetry in the group.
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
    /// The group of a picture, if it is large enough to have a template.
    fn template(&self, i: usize) -> Option<usize> {
        let &(group, _) = self.of.get(&i)?;
        (self.members[group].len() >= LEAST).then_some(group)
    }

    /// The groups with the most members, if they are large enough to have a template.
    fn largest(&self) -> Vec<usize> {
        let mut groups: Vec<usize> =
            (0..self.members.len()).filter(|&group| self.members[group].len() >= LEAST).collect();
        groups.sort_by_key(|&group| Reverse(self.members[group].len()));
        groups.truncate(TRIED);
        groups
    }

    /// The number of different pictures in each group.
    fn distinct(&self, count: usize, alike: &[Alike], differs: &[Option<usize>]) -> Vec<usize> {
        let mut sets = DisjointSets::new(count);
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

/// The symmetry that transforms `a` to `b`, if `placement` aligns them edge to edge.
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

/// The common content of several pictures.
struct Template {
    picture: Luma,
    /// Whether the pictures on it differ in colour.
    differs_in_colour: bool,
}

impl Template {
    /// The pixelwise median of `members`, transformed to the orientation of the first one.
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
                // The symmetry maps the first picture to this one, so its inverse maps back.
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

    /// Whether two pictures outside its group that look alike have different contents on it: too few look
    /// like them, but they have its background. `None` if that is not so, or one can no longer be read.
    fn tells_apart_others(
        &self,
        pair: &Alike,
        picture: &(impl Fn(usize) -> Option<Comparable> + Sync),
    ) -> Option<bool> {
        let b = picture(pair.b)?;
        let on_b = framed(Symmetry::ALL[0], &self.picture, b.fine());
        let difference = Overlay::new(&self.picture, b.fine(), &on_b, ON_THE_BORDER).difference();
        if difference.visible < MIN_EVIDENCE || difference.same < SAME_GROUND {
            return None;
        }
        let a = picture(pair.a)?;
        let placement = framed(Symmetry::ALL[0], a.fine(), b.fine());
        Some(tells_apart(&a, &b, &placement, &laid(&self.picture, b.fine(), &on_b)))
    }

    /// The template transformed to the orientation of a member, and resampled to its pixels.
    fn laid_on(&self, symmetry: Symmetry, member: &Luma) -> Luma {
        let mut pixels = laid(&self.picture, member, &framed(symmetry, &self.picture, member));
        pixels.iter_mut().filter(|value| value.is_nan()).for_each(|value| *value = 0.0);
        Luma { width: member.width, height: member.height, pixels }
    }
}

/// For each picture that is no member: the index of a member that it lies on, and its placement there.
type Via = HashMap<usize, (usize, Placement)>;

/// The connections to templates of pictures that lie on a member, as parts do.
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

/// The relation of pictures to templates.
struct Lies<'a> {
    shared: &'a SharedFrames,
    via: Via,
    sizes: &'a [(f32, f32)],
}

impl Lies<'_> {
    /// The index of the template of a picture.
    fn on(&self, i: usize) -> Option<usize> {
        self.shared.template(i).or_else(|| self.shared.template(self.via.get(&i)?.0))
    }

    /// The pairs of copies, aligned edge to edge and upright, of which neither lies on a template.
    fn on_no_template(&self, alike: &[Alike]) -> Vec<usize> {
        let is_other = |pair: &Alike| {
            let symmetry = edge_to_edge(&pair.placement, self.sizes[pair.a], self.sizes[pair.b]);
            let is_on_none = self.on(pair.a).is_none() && self.on(pair.b).is_none();
            pair.is_copy && is_on_none && symmetry == Some(Symmetry::ALL[0])
        };
        (0..alike.len()).filter(|&i| is_other(&alike[i])).collect()
    }

    /// Whether two pictures that look alike have different contents on the template with this
    /// index; `None` if one of them can no longer be read.
    fn tell_apart(
        &self,
        pair: &Alike,
        number: usize,
        template: &Template,
        picture: &(impl Fn(usize) -> Option<Comparable> + Sync),
    ) -> Option<bool> {
        let (a, b) = (picture(pair.a)?, picture(pair.b)?);
        // Copies on one template are aligned as the template is: edge to edge.
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

    /// A template resampled to the pixels of picture `i`; `None` if the picture does not lie on it.
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

/// Whether `b`, which `placement` places on `a`, differs in colour or brightness.
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

/// The placement edge to edge of `b` on `a`, where `symmetry` transforms `a` to `b`.
fn framed(symmetry: Symmetry, a: &Luma, b: &Luma) -> Placement {
    let size = |picture: &Luma| (picture.width as f32, picture.height as f32);
    Placement::of_frames(symmetry, size(a), size(b))
}
