//! Reference implementations: convolution, its gradients and max-pooling as plain loops in f64.
//!
//! Slow and simple; only for comparison in tests and benchmarks.

use super::geometry::{Conv2dGeometry, Pool2dGeometry};

/// `y = x * w + b`.
pub fn conv2d(g: &Conv2dGeometry, x: &[f64], w: &[f64], b: &[f64]) -> Vec<f64> {
    let mut y = vec![0.0; g.batch * g.output_len()];
    for (i, y) in y.iter_mut().enumerate() {
        *y = b[i % g.out_c];
    }
    for_each_product(g, |x_at, w_at, y_at| y[y_at] += x[x_at] * w[w_at]);
    y
}

/// For each output, the sum of the absolute values of its products: the scale of its rounding errors.
pub fn conv2d_magnitude(g: &Conv2dGeometry, x: &[f64], w: &[f64], b: &[f64]) -> Vec<f64> {
    let absolute = |v: &[f64]| v.iter().map(|v| v.abs()).collect::<Vec<_>>();
    conv2d(g, &absolute(x), &absolute(w), &absolute(b))
}

/// The gradient of `x`.
pub fn conv2d_backward_input(g: &Conv2dGeometry, dy: &[f64], w: &[f64]) -> Vec<f64> {
    let mut dx = vec![0.0; g.batch * g.input_len()];
    for_each_product(g, |x_at, w_at, y_at| dx[x_at] += dy[y_at] * w[w_at]);
    dx
}

/// The gradients of `w` and `b`.
pub fn conv2d_backward_weight(g: &Conv2dGeometry, x: &[f64], dy: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (mut dw, mut db) = (vec![0.0; g.weight_len()], vec![0.0; g.out_c]);
    for_each_product(g, |x_at, w_at, y_at| dw[w_at] += dy[y_at] * x[x_at]);
    for (i, &v) in dy.iter().enumerate() {
        db[i % g.out_c] += v;
    }
    (dw, db)
}

/// Max-pool of the ReLU of `map`: values, and each maximum's index in the map (`None` where the value
/// is 0).
pub fn relu_max_pool(g: &Pool2dGeometry, map: &[f64]) -> (Vec<f64>, Vec<Option<usize>>) {
    let mut values = Vec::new();
    let mut argmax = Vec::new();
    for out in 0..g.batch * g.output_len() {
        let (pixel, c) = (out / g.channels, out % g.channels);
        let (n, pixel) = (pixel / (g.out_h * g.out_w), pixel % (g.out_h * g.out_w));
        let (oy, ox) = (pixel / g.out_w, pixel % g.out_w);
        let (mut best, mut index) = (0.0, None);
        for wy in 0..g.window_h {
            for wx in 0..g.window_w {
                let (y, x) = (oy * g.stride_h + wy, ox * g.stride_w + wx);
                let at = ((n * g.in_h + y) * g.in_w + x) * g.channels + c;
                if map[at] > best {
                    (best, index) = (map[at], Some(at));
                }
            }
        }
        values.push(best);
        argmax.push(index);
    }
    (values, argmax)
}

/// Calls `f` with the indices into `x`, `w` and `y` of every product of the convolution.
fn for_each_product(g: &Conv2dGeometry, mut f: impl FnMut(usize, usize, usize)) {
    for n in 0..g.batch {
        for oy in 0..g.out_h {
            for ox in 0..g.out_w {
                for ky in 0..g.kernel_h {
                    for kx in 0..g.kernel_w {
                        let iy = oy * g.stride_h + ky * g.dilation_h;
                        let ix = ox * g.stride_w + kx * g.dilation_w;
                        let inside = (g.pad_top..g.pad_top + g.in_h).contains(&iy)
                            && (g.pad_left..g.pad_left + g.in_w).contains(&ix);
                        if !inside {
                            continue;
                        }
                        let (iy, ix) = (iy - g.pad_top, ix - g.pad_left);
                        for oc in 0..g.out_c {
                            let first = oc / g.group_out() * g.group_in();
                            for ic in 0..g.group_in() {
                                f(
                                    ((n * g.in_h + iy) * g.in_w + ix) * g.in_c + first + ic,
                                    ((oc * g.group_in() + ic) * g.kernel_h + ky) * g.kernel_w + kx,
                                    ((n * g.out_h + oy) * g.out_w + ox) * g.out_c + oc,
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}
