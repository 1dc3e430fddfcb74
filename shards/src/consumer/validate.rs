//! Completing and checking the configuration of a create request, in the order in which nats-server does.

use super::config::{ConsumerConfig, CreateAction, Limits, Verdict};
use crate::rejection::Rejection;

impl ConsumerConfig {
    /// Defaults, then checks, then what is stamped: name, `inactive_threshold` of an ephemeral, `_nats.req.level`.
    /// `generated_name` is taken if the request has no name.
    pub fn complete(
        self,
        limits: &Limits<'_>,
        pedantic: bool,
        generated_name: &str,
    ) -> Result<ConsumerConfig, Rejection> {
        unimplemented!()
    }
}

/// What a create request for the completed `config` comes to. `bound`: the existing consumer's deliver subject has
/// subscribers now.
pub fn decide(
    existing: Option<&ConsumerConfig>,
    bound: bool,
    action: CreateAction,
    config: &ConsumerConfig,
) -> Result<Verdict, Rejection> {
    unimplemented!()
}
