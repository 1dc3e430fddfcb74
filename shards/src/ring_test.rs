use super::*;
use std::collections::VecDeque;

#[cfg(not(loom))]
mod plain {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_full_ring_gives_the_value_back() {
        let (mut producer, mut consumer) = ring(2);
        assert_eq!(producer.push(1), Ok(()));
        assert_eq!(producer.push(2), Ok(()));
        assert_eq!(producer.push(3), Err(3));
        assert_eq!(consumer.pop(), Some(1));
        assert_eq!(producer.push(3), Ok(()));
        assert_eq!((consumer.pop(), consumer.pop(), consumer.pop()), (Some(2), Some(3), None));
    }

    #[test]
    fn a_batch_is_pushed_as_far_as_there_is_room_and_keeps_its_order() {
        let (mut producer, mut consumer) = ring(4);
        let mut values: VecDeque<u32> = (0..6).collect();
        assert_eq!(producer.push_all(&mut values), 4);
        assert_eq!(values, [4, 5]);
        let mut taken = Vec::new();
        assert_eq!(consumer.pop_all(3, |value| taken.push(value)), 3);
        assert_eq!(producer.push_all(&mut values), 2);
        assert_eq!(consumer.pop_all(usize::MAX, |value| taken.push(value)), 3);
        assert_eq!(taken, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn values_that_nobody_took_are_dropped_once() {
        let value = Arc::new(());
        let (mut producer, mut consumer) = ring(8);
        for _ in 0..5 {
            assert!(producer.push(Arc::clone(&value)).is_ok());
        }
        drop(consumer.pop());
        drop(producer);
        assert_eq!(Arc::strong_count(&value), 5);
        drop(consumer);
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn a_panic_while_taking_drops_no_value_twice() {
        let value = Arc::new(());
        let (mut producer, mut consumer) = ring(8);
        for _ in 0..4 {
            assert!(producer.push(Arc::clone(&value)).is_ok());
        }
        let taking = std::panic::AssertUnwindSafe(|| consumer.pop_all(4, |_| panic!("while taking")));
        assert!(std::panic::catch_unwind(taking).is_err());
        drop((producer, consumer));
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn the_counters_may_wrap_around() {
        let (mut producer, mut consumer) = ring(2);
        let near_the_end = usize::MAX - 2;
        producer.shared.head.0.store(near_the_end, Ordering::Relaxed);
        producer.shared.tail.0.store(near_the_end, Ordering::Relaxed);
        (producer.tail, producer.head_seen) = (near_the_end, near_the_end);
        (consumer.head, consumer.tail_seen) = (near_the_end, near_the_end);
        for value in 0..10 {
            assert_eq!(producer.push(value), Ok(()));
            assert_eq!(consumer.pop(), Some(value));
        }
    }

    #[test]
    fn the_ends_move_to_other_threads_but_are_not_shared() {
        fn is_send<T: Send>(_: &T) {}
        let (producer, consumer) = ring::<Box<u8>>(1);
        is_send(&producer);
        is_send(&consumer);
    }

    #[test]
    fn two_threads_see_every_value_once_and_in_order() {
        const VALUES: u64 = if cfg!(miri) { 500 } else { 200_000 };
        let (mut producer, mut consumer) = ring(64);
        let pushing = std::thread::spawn(move || {
            let mut batch = VecDeque::new();
            let mut next = 0;
            while next < VALUES || !batch.is_empty() {
                while batch.len() < 17 && next < VALUES {
                    batch.push_back(Box::new(next));
                    next += 1;
                }
                if producer.push_all(&mut batch) == 0 {
                    std::thread::yield_now();
                }
            }
        });
        let mut expected = 0;
        while expected < VALUES {
            let taken = consumer.pop_all(23, |value| {
                assert_eq!(*value, expected);
                expected += 1;
            });
            if taken == 0 {
                std::thread::yield_now();
            }
        }
        pushing.join().unwrap();
        assert_eq!(consumer.pop(), None);
    }
}

/// Every interleaving with up to three preemptions; all of them take a minute and find no more.
#[cfg(loom)]
fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

#[cfg(loom)]
#[test]
fn every_interleaving_hands_over_every_value_once_and_in_order() {
    model(|| {
        let (mut producer, mut consumer) = ring(2);
        let pushing = loom::thread::spawn(move || {
            let mut values: VecDeque<Box<u32>> = (0..3).map(Box::new).collect();
            while producer.push_all(&mut values) < 3 && !values.is_empty() {
                loom::thread::yield_now();
            }
        });
        let mut expected = 0;
        while expected < 3 {
            let taken = consumer.pop_all(2, |value| {
                assert_eq!(*value, expected);
                expected += 1;
            });
            if taken == 0 {
                loom::thread::yield_now();
            }
        }
        pushing.join().unwrap();
    });
}

#[cfg(loom)]
#[test]
fn values_left_behind_are_dropped_by_the_last_end() {
    model(|| {
        let (mut producer, mut consumer) = ring(2);
        let pushing = loom::thread::spawn(move || {
            let _ = producer.push(Box::new(1));
            let _ = producer.push(Box::new(2));
        });
        let _ = consumer.pop();
        drop(consumer);
        pushing.join().unwrap();
    });
}
