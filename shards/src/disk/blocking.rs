//! System calls that block, on glommio's own thread beside the core.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// glommio now and then forgets to wake a sleeping executor when such a call ends (seen with more executors than cores).
/// Any wake makes it look, so there is one at least this often while a call is out.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Runs `work` beside the core.
pub(super) async fn beside<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    seen_through(glommio::executor().spawn_blocking(work)).await
}

/// Waits for something that ends on glommio's thread, and notices its end.
pub(super) async fn seen_through<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut look = pin!(glommio::timer::sleep(LOOK_INTERVAL));
    poll_fn(|context| {
        if let Poll::Ready(result) = work.as_mut().poll(context) {
            return Poll::Ready(result);
        }
        while look.as_mut().poll(context).is_ready() {
            look.set(glommio::timer::sleep(LOOK_INTERVAL));
        }
        Poll::Pending
    })
    .await
}
