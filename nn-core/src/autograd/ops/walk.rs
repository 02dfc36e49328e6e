//! Places of elements in an array that is read in another order.

/// The places of all entries of some dimensions, in row-major order: the sum of each index times its
/// dimension's step.
pub(super) struct Walk {
    /// Each dimension's length, step and current index, outermost first.
    dims: Vec<(usize, usize, usize)>,
    place: usize,
    left: usize,
}

impl Walk {
    /// The places from entry `first` on, of dimensions given as `(length, step)`, outermost first. None
    /// of them may be empty.
    pub fn new(dims: impl Iterator<Item = (usize, usize)>, first: usize) -> Self {
        let mut dims: Vec<_> = dims.map(|(len, step)| (len, step, 0)).collect();
        let (mut rest, mut place, mut entries) = (first, 0, 1);
        for (len, step, index) in dims.iter_mut().rev() {
            *index = rest % *len;
            rest /= *len;
            place += *index * *step;
            entries *= *len;
        }
        Self { dims, place, left: entries - first }
    }
}

impl Iterator for Walk {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let place = self.place;
        for (len, step, index) in self.dims.iter_mut().rev() {
            *index += 1;
            self.place += *step;
            if *index < *len {
                break;
            }
            self.place -= *len * *step;
            *index = 0;
        }
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_from_any_entry_on() {
        let dims = [(2, 0), (3, 10), (2, 1)];
        let all: Vec<_> = Walk::new(dims.into_iter(), 0).collect();
        assert_eq!(all, [0, 1, 10, 11, 20, 21, 0, 1, 10, 11, 20, 21]);
        for first in 0..=12 {
            assert!(Walk::new(dims.into_iter(), first).eq(all[first..].iter().copied()));
        }
        assert_eq!(Walk::new([].into_iter(), 0).collect::<Vec<_>>(), [0]);
    }
}
