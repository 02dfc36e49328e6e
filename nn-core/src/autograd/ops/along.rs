//! Arrays whose entries along one dimension are entries of another array: some of them, repeated, or in
//! another order. Gathering, padding and tiling are such maps, one dimension after the other.

use crate::autograd::{Backward, Op, Tape, Var};
use crate::error::Result;
use crate::kernels::Kernels;
use crate::kernels::parallel::for_each_chunk;
use crate::tensor::{BufferPool, Shape, Tensor};

/// The mark of an entry that is none of the input's.
pub(super) const OUTSIDE: usize = usize::MAX;

struct Along {
    name: &'static str,
    input: Shape,
    axis: usize,
    /// For each entry of the output the input's entry, or [`OUTSIDE`].
    map: Vec<usize>,
}

/// The entries of the output that are one entry of the input, for each of them, in order.
pub(super) struct Inverse {
    /// Where the list of each entry begins in `entries`, and where the last one ends.
    starts: Vec<usize>,
    entries: Vec<usize>,
}

impl Inverse {
    /// The inverse of `map`, whose entries are below `len` or [`OUTSIDE`].
    pub fn new(map: &[usize], len: usize) -> Self {
        let inside = || map.iter().enumerate().filter(|&(_, &from)| from != OUTSIDE);
        let mut starts = vec![0; len + 1];
        inside().for_each(|(_, &from)| starts[from + 1] += 1);
        for i in 0..len {
            starts[i + 1] += starts[i];
        }
        let (mut next, mut entries) = (starts.clone(), vec![0; starts[len]]);
        for (to, &from) in inside() {
            entries[next[from]] = to;
            next[from] += 1;
        }
        Self { starts, entries }
    }

    /// Where entry `entry` of the input went.
    pub fn of(&self, entry: usize) -> &[usize] {
        &self.entries[self.starts[entry]..self.starts[entry + 1]]
    }
}

/// The sum of `entries` of a row of gradients, in double precision and in order.
fn collect<T: Kernels>(entries: &[usize], row: &[T], dx: &mut [T], pool: &BufferPool<T>) {
    let inner = dx.len();
    match (entries, &mut *dx) {
        ([], dx) => dx.fill(T::zero()),
        (&[only], dx) => dx.copy_from_slice(&row[only * inner..][..inner]),
        (several, [dx]) => *dx = T::from_f64(several.iter().map(|&at| row[at].as_f64()).sum()),
        (several, dx) => {
            let mut sums = pool.scratch_of::<f64>(inner);
            sums.fill(0.0);
            for &at in several {
                let terms = &row[at * inner..][..inner];
                sums.iter_mut().zip(terms).for_each(|(sum, v)| *sum += v.as_f64());
            }
            dx.iter_mut().zip(&*sums).for_each(|(d, &sum)| *d = T::from_f64(sum));
        }
    }
}

impl<T: Kernels> Op<T> for Along {
    fn name(&self) -> &'static str {
        self.name
    }

    fn backward(&self, gradient: Tensor<T>, inputs: &mut Backward<'_, T>) -> Result<()> {
        let (pool, dims) = (inputs.pool(), self.input.dims());
        let mut dx = Tensor::zeros_in(&self.input, pool);
        let (len, inner) = (dims[self.axis], dims[self.axis + 1..].iter().product::<usize>());
        let row_len = self.map.len() * inner;
        if !gradient.is_empty() && !dx.is_empty() {
            let (inverse, gradient) = (Inverse::new(&self.map, len), gradient.as_slice());
            // One row has its entries as tasks, several are the tasks.
            let one_row = dx.len() == len * inner;
            let task = if one_row { inner } else { len * inner };
            for_each_chunk(dx.as_mut_slice(), task, |i, dx| {
                let (row, first) = if one_row { (0, i) } else { (i, 0) };
                let gradient = &gradient[row * row_len..][..row_len];
                for (entry, dx) in (first..).zip(dx.chunks_exact_mut(inner)) {
                    collect(inverse.of(entry), gradient, dx, pool);
                }
            });
        }
        inputs.accumulate(0, dx)
    }
}

impl<T: Kernels> Tape<T> {
    /// The array whose entry `i` along dimension `axis` is entry `map(i)` of `x`, or `fill` if that is
    /// [`OUTSIDE`]; `len` entries. The caller has checked the dimension, the entries and the size.
    pub(super) fn along(
        &self,
        name: &'static str,
        x: &Var<T>,
        axis: usize,
        len: usize,
        fill: T,
        map: impl Fn(usize) -> usize,
    ) -> Var<T> {
        let mut output = x.dims().to_vec();
        let old = std::mem::replace(&mut output[axis], len);
        let inner: usize = output[axis + 1..].iter().product();
        let mut y = Tensor::uninit(output, self.pool());
        // An empty array may have a long dimension.
        let map: Vec<usize> = if y.is_empty() { Vec::new() } else { (0..len).map(map).collect() };
        if !y.is_empty() {
            let values = x.value().as_slice();
            let one_row = y.len() == len * inner;
            let task = if one_row { inner } else { len * inner };
            for_each_chunk(y.as_mut_slice(), task, |i, to| {
                let (row, first) = if one_row { (0, i) } else { (i, 0) };
                let values = &values[row * old * inner..][..old * inner];
                for (to, &from) in to.chunks_exact_mut(inner).zip(&map[first..]) {
                    match (from, &mut *to) {
                        (OUTSIDE, to) => to.fill(fill),
                        (from, [to]) => *to = values[from],
                        (from, to) => to.copy_from_slice(&values[from * inner..][..inner]),
                    }
                }
            });
        }
        self.record(Along { name, input: x.shape().clone(), axis, map }, &[x], y)
    }
}
