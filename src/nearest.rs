//! Which of the known words a misspelt one means.
//!
//! In: a word, the known ones. Out: the nearest of these, if one is near.
//! Always: capitals make no difference; words of more than 64 letters are near none.

/// The word of `known` that `word` is most likely a slip of: at most a third of its letters differ.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a String>) -> Option<String> {
    let letters = |word: &str| -> Vec<char> { word.chars().flat_map(char::to_lowercase).collect() };
    let word = letters(word);
    let near = |candidate: &&String| {
        let candidate = letters(candidate);
        let most = (candidate.len().max(word.len()) / 3).min(3);
        // A cheap look first: a household may have a million names.
        let fits = candidate.len() <= LONGEST && candidate.len().abs_diff(word.len()) <= most;
        let distance = fits.then(|| distance(&word, &candidate))?;
        (distance <= most).then_some(distance)
    };
    if word.len() > LONGEST {
        return None;
    }
    let near = known
        .into_iter()
        .filter_map(|candidate| Some((near(&candidate)?, candidate)));
    near.min().map(|(_, candidate)| candidate.clone())
}

/// Letters of the longest word that is compared.
const LONGEST: usize = 64;

/// How many letters have to be changed, added, left out or swapped with their neighbor. Both words are short.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = match (i, j) {
                (0, _) => j,
                (_, 0) => i,
                _ => {
                    let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                    let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                    let swap = if swapped { rows[i - 2][j - 2] + 1 } else { usize::MAX };
                    change.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(swap)
                }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(word: &str, known: &[&str]) -> Option<String> {
        let known: Vec<String> = known.iter().map(|&word| word.to_owned()).collect();
        nearest(word, &known)
    }

    #[test]
    fn a_slip_in_a_third_of_the_letters_is_found_whatever_the_alphabet_and_the_capitals() {
        assert_eq!(of("mahsa", &["masha", "petya"]).as_deref(), Some("masha"));
        assert_eq!(
            of("\u{43c}\u{448}\u{430}\u{430}", &["\u{43c}\u{430}\u{448}\u{430}"]).as_deref(),
            Some("\u{43c}\u{430}\u{448}\u{430}")
        );
        assert_eq!(of("VK", &["vk", "vk-play"]).as_deref(), Some("vk"));
        assert_eq!(of("petya", &["masha", "pt"]), None);
        assert_eq!(of("ab", &["ac"]), None);
        assert_eq!(of(&"a".repeat(65), &[&"a".repeat(65)]), None);
    }
}
