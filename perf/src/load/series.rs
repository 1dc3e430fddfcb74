//! The windows of all threads, added up second by second.

use super::tally::Window;
use std::collections::BTreeMap;

/// A second is whole when every thread has gone past it.
pub struct Series {
    threads: usize,
    /// By place in time: the sum so far and how many threads are in it.
    open: BTreeMap<(bool, i64), (Window, usize)>,
}

impl Series {
    pub fn new(threads: usize) -> Series {
        Series { threads, open: BTreeMap::new() }
    }

    /// Adds one thread's window; returns the sum if it was the last to come.
    pub fn add(&mut self, window: Window) -> Option<Window> {
        let key = (window.draining, window.at);
        let threads = match self.open.get_mut(&key) {
            None => {
                self.open.insert(key, (window, 1));
                1
            }
            Some((sum, threads)) => {
                sum.merge(&window);
                *threads += 1;
                *threads
            }
        };
        if threads < self.threads {
            return None;
        }
        self.open.remove(&key).map(|(sum, _)| sum)
    }

    /// What some threads did not come to, in order.
    pub fn rest(self) -> impl Iterator<Item = Window> {
        self.open.into_values().map(|(sum, _)| sum)
    }
}

impl Window {
    fn merge(&mut self, other: &Window) {
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
        self.operations += other.operations;
        self.errors += other.errors;
        self.latency.add(&other.latency).expect("histograms of the same bounds");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_whole_when_all_threads_have_given_theirs() {
        let window = |thread, at| Window { at, operations: 5, to: 9, ..Window::empty(thread) };
        let mut series = Series::new(2);
        assert!(series.add(window(0, 0)).is_none());
        assert!(series.add(window(0, 1)).is_none());
        assert_eq!(series.add(window(1, 0)).map(|sum| (sum.at, sum.operations)), Some((0, 10)));
        assert_eq!(series.rest().map(|sum| (sum.at, sum.operations)).collect::<Vec<_>>(), [(1, 5)]);
    }
}
