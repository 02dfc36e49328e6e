//! Settings that a stored layer leaves out.

pub fn once() -> (usize, usize) {
    (1, 1)
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
