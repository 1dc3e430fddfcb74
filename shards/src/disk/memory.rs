//! Memory for direct I/O that the device takes as one piece.
#![expect(unsafe_code, reason = "advice about memory goes by its address; decision 0010 has what it brings")]

use crate::log::buffer::{AlignedBuffer, HUGE_PAGE_LEN};
use rustix::mm::{Advice, madvise};

/// Asks for huge pages under `memory`, which begins on a border of one. Where they are off or used up, ordinary pages
/// serve as well, and writes cost more.
pub fn advise_huge_pages(memory: &mut [u8]) {
    // SAFETY: the range is one that we borrow, and this advice changes none of its bytes.
    let _ = unsafe { madvise(memory.as_mut_ptr().cast(), memory.len(), Advice::LinuxHugepage) };
}

/// A huge page of zeros.
pub(super) fn huge_page_of_zeros() -> AlignedBuffer {
    let mut pages = AlignedBuffer::of_huge_page(HUGE_PAGE_LEN, advise_huge_pages);
    pages.pop().expect("a page is one buffer of its length")
}

/// What the system does about huge pages: `always`, `madvise` or `never`; `None`: it does not say.
pub fn huge_pages() -> Option<String> {
    let setting = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").ok()?;
    let chosen = setting.split_once('[')?.1.split_once(']')?.0;
    Some(chosen.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_advised_about_is_still_zeroed_and_writable() {
        let mut page = huge_page_of_zeros();
        assert!(page.as_slice().iter().all(|&byte| byte == 0));
        page.as_mut_slice().fill(7);
        assert_eq!(page.as_slice()[HUGE_PAGE_LEN - 1], 7);
    }
}
