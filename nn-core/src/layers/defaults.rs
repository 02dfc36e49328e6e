//! Settings that a stored layer leaves out.

/// A stride or dilation of 1.
pub fn once() -> (usize, usize) {
    (1, 1)
}

/// One group of channels.
pub fn single() -> usize {
    1
}

pub fn is_single(number: &usize) -> bool {
    *number == single()
}

pub fn is_none(pair: &(usize, usize)) -> bool {
    *pair == (0, 0)
}

pub fn yes() -> bool {
    true
}

pub fn is_once(pair: &(usize, usize)) -> bool {
    *pair == once()
}

pub fn is_yes(setting: &bool) -> bool {
    *setting
}

pub fn is_default<V: Default + PartialEq>(setting: &V) -> bool {
    *setting == V::default()
}
