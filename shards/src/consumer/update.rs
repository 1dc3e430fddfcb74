//! What a create request for an existing consumer comes to (nats-server, server/consumer.go: `checkNewConsumerConfig`).

use super::config::{ConsumerConfig, CreateAction, Verdict};
use super::{Consumer, Mode};
use crate::rejection::Rejection;
use crate::subscribers::Subscribers;
use crate::time::Now;

/// What a create request for the completed `config` comes to. `bound`: the existing consumer's deliver subject has
/// subscribers now.
pub fn decide(
    existing: Option<&ConsumerConfig>,
    bound: bool,
    action: CreateAction,
    config: &ConsumerConfig,
) -> Result<Verdict, Rejection> {
    let Some(existing) = existing else {
        return if action == CreateAction::Update {
            Err(Rejection::ConsumerDoesNotExist)
        } else {
            Ok(Verdict::Create)
        };
    };
    if same(existing, config) {
        return Ok(Verdict::Same);
    }
    if action == CreateAction::Create {
        return Err(Rejection::ConsumerAlreadyExists);
    }
    check_update(existing, bound, config).map(|()| Verdict::Update)
}

/// Equal but for the server's own metadata.
fn same(a: &ConsumerConfig, b: &ConsumerConfig) -> bool {
    fn own(config: &ConsumerConfig) -> impl Iterator<Item = &(String, String)> {
        config.metadata.iter().filter(|(key, _)| !key.starts_with("_nats."))
    }
    if !own(a).eq(own(b)) {
        return false;
    }
    let bare = |config: &ConsumerConfig| ConsumerConfig { metadata: Vec::new(), ..config.clone() };
    bare(a) == bare(b)
}

fn check_update(old: &ConsumerConfig, bound: bool, new: &ConsumerConfig) -> Result<(), Rejection> {
    let fixed = [
        (old.deliver_policy == new.deliver_policy, "deliver policy can not be updated"),
        (old.mem_storage == new.mem_storage, "storage type can not be updated"),
        (old.opt_start_seq == new.opt_start_seq, "start sequence can not be updated"),
        (old.opt_start_time == new.opt_start_time, "start time can not be updated"),
        (old.ack_policy == new.ack_policy, "ack policy can not be updated"),
        (old.idle_heartbeat == new.idle_heartbeat, "heart beats can not be updated"),
        (old.flow_control == new.flow_control, "flow control can not be updated"),
        (old.is_push() || !new.is_push(), "can not update pull consumer to push based"),
        (!old.is_push() || new.is_push(), "can not update push consumer to pull based"),
    ];
    for (unchanged, text) in fixed {
        if !unchanged {
            return Err(Rejection::ConsumerCreate(text.into()));
        }
    }
    if old.deliver_subject != new.deliver_subject && bound {
        return Err(Rejection::ConsumerNameExist);
    }
    if old.max_waiting != new.max_waiting {
        return Err(Rejection::ConsumerCreate("max waiting can not be updated".into()));
    }
    new.check_backoff()
}

impl Consumer {
    /// Takes a configuration that `decide` let through.
    pub fn update(&mut self, now: Now, mut config: ConsumerConfig, out: &impl Subscribers) {
        self.name().clone_into(&mut config.name);
        let is_moved = self.target().is_some_and(|(subject, _)| subject != config.deliver_subject.as_bytes());
        let old = self.take_config(&config);
        if !old.has_timing_of(&self.settings) {
            self.restart_timers(now);
        }
        if is_moved {
            self.queue_all();
        }
        if let Mode::Push(push) = &mut self.mode {
            push.set_active(now, false);
        }
        self.handle_interest_changed(now, out);
        self.show_life(now);
        self.restart_inactivity(now);
    }
}

#[cfg(test)]
#[path = "update_test.rs"]
mod tests;
