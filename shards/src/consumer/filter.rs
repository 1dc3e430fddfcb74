//! Which subjects a consumer wants.

use crate::limits::FILTER_MEMORY_LEN_MAX;
use crate::messages::{SubjectFilter, SubjectId};
use crate::subject;

/// The filters of a consumer. Answers are remembered by the stream's number for a subject.
#[derive(Debug, Default)]
pub struct Filter {
    /// Empty: everything.
    patterns: Box<[Box<str>]>,
    /// Not while one literal pattern is all there is.
    remembered: Option<Box<Remembered>>,
}

/// Answers about subjects, as long as their numbers are theirs.
#[derive(Debug, Default)]
struct Remembered {
    /// One bit pair per subject id: known, wanted.
    pairs: Vec<u8>,
    epoch: u64,
}

impl Filter {
    pub fn new<'a>(patterns: impl Iterator<Item = &'a str>) -> Filter {
        let mut patterns: Box<[Box<str>]> = patterns.map(Box::from).collect();
        if patterns.iter().any(|pattern| &**pattern == ">") {
            patterns = Box::default();
        }
        Filter { patterns, remembered: None }
    }

    /// Gives back memory; answers are found again.
    pub fn shrink(&mut self) {
        self.remembered = None;
    }

    /// True if every filter lies inside `pattern`.
    pub fn is_inside(&self, pattern: &str) -> bool {
        let mut filters = self.patterns.iter();
        match self.patterns.is_empty() {
            true => pattern == ">",
            false => filters.all(|filter| subject::is_subset(filter.as_bytes(), pattern.as_bytes())),
        }
    }

    /// Whether some subject is matched by a filter and by `pattern`.
    pub fn touches(&self, pattern: &str) -> bool {
        let mut filters = self.patterns.iter();
        self.patterns.is_empty()
            || filters.any(|filter| subject::collide(filter.as_bytes(), pattern.as_bytes()))
    }

    /// Whether a subject matches, looked up without its number.
    pub fn wants(&self, subject: &[u8]) -> bool {
        wants(&self.patterns, subject)
    }
}

impl SubjectFilter for Filter {
    fn is_all(&self) -> bool {
        self.patterns.is_empty()
    }

    fn patterns(&self) -> &[Box<str>] {
        &self.patterns
    }

    fn matches(&mut self, epoch: u64, id: SubjectId, subject: &[u8]) -> bool {
        match &*self.patterns {
            [] => return true,
            [only] if subject::is_literal(only.as_bytes()) => return only.as_bytes() == subject,
            _ => {}
        }
        let (at, shift) = (id.0 as usize / 4, id.0 % 4 * 2);
        if at >= FILTER_MEMORY_LEN_MAX {
            return self.wants(subject);
        }
        let Remembered { pairs, epoch: known_epoch } = &mut **self.remembered.get_or_insert_default();
        if epoch != *known_epoch {
            pairs.clear();
            *known_epoch = epoch;
        }
        if at >= pairs.len() {
            pairs.resize(at + 1, 0);
        }
        let pair = pairs[at] >> shift & 0b11;
        if pair & KNOWN != 0 {
            return pair & WANTED != 0;
        }
        let wanted = wants(&self.patterns, subject);
        pairs[at] |= (KNOWN | if wanted { WANTED } else { 0 }) << shift;
        wanted
    }
}

fn wants(patterns: &[Box<str>], subject: &[u8]) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| subject::matches(pattern.as_bytes(), subject))
}

const KNOWN: u8 = 0b01;
const WANTED: u8 = 0b10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_remembered_until_the_number_has_another_subject() {
        let mut filter = Filter::new(["a.*", "b.>"].into_iter());
        assert!(filter.matches(1, SubjectId(70), b"a.x"));
        assert!(filter.matches(1, SubjectId(70), b"not looked at"));
        assert!(!filter.matches(1, SubjectId(71), b"c"));
        assert!(!filter.matches(2, SubjectId(70), b"a"));
        assert!(filter.matches(2, SubjectId(u32::MAX), b"b.c.d"));
    }

    #[test]
    fn no_filter_and_the_full_wildcard_want_everything() {
        assert!(Filter::new([].into_iter()).is_all());
        assert!(Filter::new([">"].into_iter()).is_all());
        assert!(!Filter::new(["a"].into_iter()).is_all());
    }

    #[test]
    fn a_purge_may_cover_all_filters_or_touch_one() {
        let filter = Filter::new(["a.x", "b.x"].into_iter());
        assert!(filter.is_inside(">") && filter.is_inside("*.x") && !filter.is_inside("a.*"));
        assert!(filter.touches("a.*") && !filter.touches("c"));
        let all = Filter::new([].into_iter());
        assert!(all.is_inside(">") && !all.is_inside("a") && all.touches("a"));
    }
}
