//! Names that were probably meant.

/// The maximum number of suggested names.
const MOST: usize = 3;

/// The names among `known` that are similar to `name`, the most similar first: they differ in case, in a
/// few letters, or one begins with the other.
pub fn similar<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let plain = |text: &str| -> String {
        let letters = text.chars().map(|c| if matches!(c, '-' | ' ' | '.') { '_' } else { c });
        letters.flat_map(char::to_lowercase).collect()
    };
    let wanted = plain(name);
    let letters = wanted.chars().count();
    let distance = |known: &str| {
        let known = plain(known);
        let distance = strsim::damerau_levenshtein(&wanted, &known);
        let longer = letters.max(known.chars().count());
        let part = letters >= 3
            && known.chars().count() >= 3
            && (known.starts_with(&wanted) || wanted.starts_with(&known));
        (distance <= longer.div_ceil(4) || part).then_some((distance, known))
    };
    let mut found: Vec<_> =
        known.into_iter().filter_map(|known| Some((distance(known)?, known))).collect();
    found.sort();
    found.dedup();
    // The same name in other letters is the one that was meant.
    if let Some(((0, _), _)) = found.first() {
        found.retain(|((distance, _), _)| *distance == 0);
    }
    found.into_iter().map(|(_, known)| known).take(MOST).collect()
}

/// `; did you mean husky?`, or an empty string if no name is similar.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match similar(name, known).as_slice() {
        [] => String::new(),
        found => format!("; did you mean {}?", found.join(" or ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_hand_are_recognised() {
        let sets = ["same_backgrounds", "different_backgrounds", "background_swap"];
        for (typed, meant) in [
            ("same_background", "same_backgrounds"),
            ("same-backgrounds", "same_backgrounds"),
            ("Same_Backgrounds", "same_backgrounds"),
            ("same", "same_backgrounds"),
            ("diferent_backgruonds", "different_backgrounds"),
            ("background-swaps", "background_swap"),
        ] {
            assert_eq!(similar(typed, sets)[0], meant, "{typed}");
        }
        assert!(similar("photos", sets).is_empty());
        assert_eq!(similar("conv2d", ["Conv2D", "Conv2DTranspose"]), ["Conv2D"]);
        assert_eq!(did_you_mean("wolv", ["husky", "wolf"]), "; did you mean wolf?");
        assert_eq!(did_you_mean("cat", ["husky", "wolf"]), "");
        assert_eq!(did_you_mean("WÖLF", ["wölf"]), "; did you mean wölf?");
    }
}
