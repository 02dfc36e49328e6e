//! Facts discretised into bins, and the questions about them: is the value of an image in this
//! range of bins?

use super::fact::{Fact, Values, Word, date};
use std::collections::HashMap;

/// The maximum number of bins of a fact.
pub const MOST_BINS: usize = 48;
/// The quantiles at which numbers are cut, from either end: finer at the ends, since a leak may
/// affect few images only.
const CUTS: [f64; 14] =
    [0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.14, 0.16, 0.18, 0.2, 0.25, 0.375];
/// A number has a bin of its own if at least one in this many images has it.
const MANY: usize = 20;
/// The minimum number of images with a word for the word to have a bin of its own.
const LEAST: usize = 2;

/// A fact discretised into bins.
pub struct Binned {
    /// The bin of each image.
    pub bins: Vec<u8>,
    /// The number of images in each bin.
    pub sizes: Vec<usize>,
    /// For numbers, the mean rank of each bin; `None` for words.
    pub ranks: Option<Vec<f64>>,
    /// The questions about the fact.
    pub questions: Vec<Question>,
    /// The content of each bin, for messages.
    labels: Vec<Label>,
}

/// Is the value of an image in the bins `from..to`, or, with `not`, outside them?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// The first bin.
    pub from: usize,
    /// The one after the last.
    pub to: usize,
    /// Whether the question is negated.
    pub not: bool,
}

enum Label {
    Range(f64, f64),
    Word(String),
}

impl Binned {
    /// The bins of a fact; `None` if it is the same in all images.
    pub fn new(fact: &Fact) -> Option<Self> {
        let binned = match &fact.values {
            Values::Numbers(numbers) | Values::Days(numbers) => Self::of_numbers(numbers),
            Values::Words(words) => Self::of_words(words),
        };
        (binned.sizes.len() > 1).then_some(binned)
    }

    /// The bins of numbers. Equal numbers are in the same bin.
    pub fn of_numbers(numbers: &[f64]) -> Self {
        let n = numbers.len();
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&i, &j| numbers[i].total_cmp(&numbers[j]));
        let runs: Vec<&[usize]> = order.chunk_by(|&i, &j| numbers[i] == numbers[j]).collect();
        let all = runs.len() <= MOST_BINS / 2;
        let mut cuts: Vec<usize> =
            CUTS.iter().map(|cut| (cut * n as f64).round() as usize).collect();
        cuts.extend(cuts.clone().iter().map(|cut| n - cut));
        cuts.push(n / 2);
        cuts.sort_unstable();
        let mut bins = vec![0; n];
        let (mut sizes, mut labels): (Vec<usize>, Vec<Label>) = (Vec::new(), Vec::new());
        let mut ranks = Vec::new();
        let (mut done, mut begun, mut after_many) = (0, 0, false);
        for run in runs {
            let value = numbers[run[0]];
            // A number that many images share has a bin of its own.
            let many = run.len() * MANY >= n;
            let begins = sizes.is_empty()
                || (all || many || after_many)
                || cuts.iter().any(|&cut| begun < cut && cut <= done);
            after_many = many;
            if begins && sizes.len() < MOST_BINS {
                sizes.push(0);
                labels.push(Label::Range(value, value));
                begun = done;
            }
            let last = sizes.len() - 1;
            sizes[last] += run.len();
            if let Label::Range(_, high) = &mut labels[last] {
                *high = value;
            }
            run.iter().for_each(|&i| bins[i] = last as u8);
            done += run.len();
        }
        let mut before = 0;
        for size in &sizes {
            ranks.push(before as f64 + (*size as f64 + 1.0) / 2.0);
            before += size;
        }
        let count = sizes.len();
        let mut questions = Vec::new();
        let mut ask = |from, to| {
            for not in [false, true] {
                questions.push(Question { from, to, not });
            }
        };
        for cut in 1..count {
            ask(0, cut);
        }
        for from in 1..count / 2 {
            ask(from, count - from);
        }
        for (bin, label) in labels.iter().enumerate().take(count.saturating_sub(1)).skip(1) {
            let middle = bin == count - 1 - bin;
            if matches!(label, Label::Range(low, high) if low == high)
                && sizes[bin] >= LEAST
                && !middle
            {
                ask(bin, bin + 1);
            }
        }
        Self { bins, sizes, ranks: Some(ranks), questions, labels }
    }

    /// The bins of words: one for each of the most common words, one for all others.
    fn of_words(words: &[Word]) -> Self {
        let mut counts: HashMap<&str, (usize, &str)> = HashMap::new();
        for word in words {
            counts.entry(&word.is).or_insert((0, &word.shown)).0 += 1;
        }
        let mut common: Vec<(&str, usize, &str)> =
            counts.iter().map(|(is, (count, shown))| (*is, *count, *shown)).collect();
        common.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let own = common.iter().take_while(|word| word.1 >= LEAST).count().min(MOST_BINS - 1);
        let own = if own + 1 == common.len() { common.len() } else { own };
        let rest = &common[own..];
        let place: HashMap<&str, usize> =
            common[..own].iter().enumerate().map(|(bin, word)| (word.0, bin)).collect();
        let bins =
            words.iter().map(|w| place.get(w.is.as_str()).copied().unwrap_or(own) as u8).collect();
        let mut sizes: Vec<usize> = common[..own].iter().map(|word| word.1).collect();
        let mut labels: Vec<Label> = Vec::new();
        for (i, word) in common[..own].iter().enumerate() {
            let shown = if word.2.is_empty() { "none" } else { word.2 };
            let alike = common[..i].iter().any(|other| other.2 == word.2);
            let another = if alike { ", other ones" } else { "" };
            labels.push(Label::Word(format!("{shown}{another}")));
        }
        if !rest.is_empty() {
            sizes.push(rest.iter().map(|word| word.1).sum());
            labels.push(Label::Word("one of its own".into()));
        }
        let asked = |bin| [false, true].map(|not| Question { from: bin, to: bin + 1, not });
        let questions = (0..sizes.len()).flat_map(asked).collect();
        Self { bins, sizes, ranks: None, questions, labels }
    }

    /// The number of images for which a question is true.
    pub fn size(&self, question: Question) -> usize {
        let within: usize = self.sizes[question.from..question.to].iter().sum();
        if question.not { self.bins.len() - within } else { within }
    }

    /// Whether a question is true for an image.
    pub fn holds(&self, question: Question, image: usize) -> bool {
        (question.from..question.to).contains(&usize::from(self.bins[image])) != question.not
    }

    /// Whether the question is true for images that lack a property.
    pub fn lacks(&self, question: Question) -> bool {
        let nothing = |word: &str| word == "none" || word == "no";
        match &self.labels[question.from] {
            Label::Word(word) => nothing(word) != question.not,
            Label::Range(_, high) => question.from == 0 && *high == 0.0 && !question.not,
        }
    }

    /// The question about `fact`, in words.
    pub fn words(&self, question: Question, fact: &Fact) -> String {
        let Question { from, to, not } = question;
        let (name, unit) = (&fact.name, fact.unit);
        let is_day = matches!(fact.values, Values::Days(_));
        let (less, more) = if is_day { ("earlier", "later") } else { ("less", "more") };
        let text = |value, neighbour| if is_day { date(value) } else { text(value, neighbour) };
        match (&self.labels[from], &self.labels[to - 1]) {
            (Label::Word(word), _) if not => format!("{name} other than {word}"),
            (Label::Word(word), _) => format!("{name} {word}"),
            (Label::Range(low, high), Label::Range(_, top)) => {
                let next = self.edge(to, true);
                let before = from.checked_sub(1).and_then(|bin| self.edge(bin, false));
                let first = text(*low, before);
                let last = text(*top, next);
                match (from == 0, not) {
                    // Images without a date come first.
                    (true, false) if is_day && *top <= 0.0 => format!("{name} {last}"),
                    (true, false) => format!("{name} {last}{unit} or {less}"),
                    (true, true) => {
                        format!("{name} {}{unit} or {more}", text(next.unwrap_or(*top), Some(*top)))
                    }
                    (false, false) if low == high && to == from + 1 => {
                        format!("{name} {first}{unit}")
                    }
                    (false, true) if low == high && to == from + 1 => {
                        format!("{name} other than {first}{unit}")
                    }
                    (false, false) => format!("{name} from {first} to {last}{unit}"),
                    (false, true) => format!("{name} below {first} or above {last}{unit}"),
                }
            }
            _ => name.clone(),
        }
    }

    /// The lowest or the highest value in a bin.
    fn edge(&self, bin: usize, lowest: bool) -> Option<f64> {
        match self.labels.get(bin)? {
            Label::Range(low, high) => Some(if lowest { *low } else { *high }),
            Label::Word(_) => None,
        }
    }
}

/// A number with as few digits as distinguish it from its neighbour.
fn text(value: f64, neighbour: Option<f64>) -> String {
    let least = if value.fract() == 0.0 { 0 } else { 1 };
    let write = |digits: usize| format!("{value:.digits$}");
    let differs = |digits: &usize| {
        neighbour.is_none_or(|other| write(*digits) != format!("{other:.*}", digits))
    };
    (least..9).find(differs).map_or_else(|| value.to_string(), write)
}
