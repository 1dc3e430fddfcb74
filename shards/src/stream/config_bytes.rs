//! A stream's configuration as bytes, in changes and checkpoints.

use super::config::{ConsumerLimits, Discard, Storage, StreamConfig};
use crate::encoding::{Malformed, Reader, Write};
use std::time::Duration;

/// First byte. A later version adds fields behind those that are here.
const VERSION: u8 = 1;

impl StreamConfig {
    /// Appends the configuration. The layout is in docs/formats.md, section "Stream configuration".
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_u8(VERSION);
        out.put_bytes(self.name.as_bytes());
        out.put_bytes(self.description.as_bytes());
        out.put_varint(self.subjects.len() as u64);
        for subject in &self.subjects {
            out.put_bytes(subject.as_bytes());
        }
        let numbers = [
            self.max_consumers,
            self.max_msgs,
            self.max_bytes,
            self.max_msgs_per_subject,
            self.max_msg_size,
            self.num_replicas,
            self.consumer_limits.max_ack_pending,
        ];
        for number in numbers {
            out.put_i64(number);
        }
        for duration in [self.max_age, self.duplicate_window, self.consumer_limits.inactive_threshold] {
            out.put_u64(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
        }
        out.put_u64(self.first_seq);
        out.put_u8(u8::from(self.discard == Discard::New));
        out.put_u8(u8::from(self.storage == Storage::Memory));
        for flag in [
            self.no_ack,
            self.allow_direct,
            self.mirror_direct,
            self.discard_new_per_subject,
            self.sealed,
            self.deny_delete,
            self.deny_purge,
            self.allow_rollup_hdrs,
            self.allow_msg_ttl,
        ] {
            out.put_bool(flag);
        }
        out.put_varint(self.metadata.len() as u64);
        for (key, value) in &self.metadata {
            out.put_bytes(key.as_bytes());
            out.put_bytes(value.as_bytes());
        }
    }

    /// What `encode` wrote, and nothing behind it.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let config = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(config)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        if reader.u8()? != VERSION {
            return Err(Malformed);
        }
        let name = reader.string()?.to_owned();
        let description = reader.string()?.to_owned();
        let mut subjects = Vec::new();
        for _ in 0..reader.varint()? {
            subjects.push(reader.string()?.to_owned());
        }
        let mut config = StreamConfig {
            name,
            description,
            subjects,
            max_consumers: reader.i64()?,
            max_msgs: reader.i64()?,
            max_bytes: reader.i64()?,
            max_msgs_per_subject: reader.i64()?,
            max_msg_size: reader.i64()?,
            num_replicas: reader.i64()?,
            ..StreamConfig::default()
        };
        let max_ack_pending = reader.i64()?;
        config.max_age = Duration::from_nanos(reader.u64()?);
        config.duplicate_window = Duration::from_nanos(reader.u64()?);
        let inactive_threshold = Duration::from_nanos(reader.u64()?);
        config.consumer_limits = ConsumerLimits { inactive_threshold, max_ack_pending };
        config.first_seq = reader.u64()?;
        config.discard = if reader.bool()? { Discard::New } else { Discard::Old };
        config.storage = if reader.bool()? { Storage::Memory } else { Storage::File };
        for flag in [
            &mut config.no_ack,
            &mut config.allow_direct,
            &mut config.mirror_direct,
            &mut config.discard_new_per_subject,
            &mut config.sealed,
            &mut config.deny_delete,
            &mut config.deny_purge,
            &mut config.allow_rollup_hdrs,
            &mut config.allow_msg_ttl,
        ] {
            *flag = reader.bool()?;
        }
        for _ in 0..reader.varint()? {
            let key = reader.string()?.to_owned();
            config.metadata.push((key, reader.string()?.to_owned()));
        }
        Ok(config)
    }
}
