//! Names that were probably meant.

/// `; did you mean Conv2D?`, or an empty text if no name among `known` is similar.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map_or_else(String::new, |known| format!("; did you mean {known}?"))
}

/// The name among `known` that differs from `name` in a few letters, or in case.
fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let wanted = plain(name);
    let scored = known.into_iter().map(|known| {
        let known_plain = plain(known);
        (strsim::damerau_levenshtein(&wanted, &known_plain), known_plain.len(), known)
    });
    let (distance, length, known) = scored.min()?;
    let allowed = wanted.len().max(length).div_ceil(3);
    (distance <= allowed).then_some(known)
}
