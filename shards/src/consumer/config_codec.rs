//! The configuration of a consumer as bytes. See docs/formats.md, "Consumers".

use super::config::{AckPolicy, ConsumerConfig, DeliverPolicy};
use crate::encoding::{Malformed, Reader, Write};
use crate::time::WallTime;

impl ConsumerConfig {
    /// Appends the configuration.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_u8(VERSION);
        for text in [
            &self.durable_name,
            &self.name,
            &self.description,
            &self.filter_subject,
            &self.deliver_subject,
            &self.deliver_group,
            &self.sample_freq,
        ] {
            out.put_bytes(text.as_bytes());
        }
        out.put_u8(self.deliver_policy as u8);
        out.put_u8(self.ack_policy as u8);
        out.put_u64(self.opt_start_seq);
        out.put_bool(self.opt_start_time.is_some());
        out.put_u64(self.opt_start_time.unwrap_or_default().0);
        for number in self.numbers() {
            out.put_i64(number);
        }
        for flag in [self.flow_control, self.headers_only, self.mem_storage] {
            out.put_bool(flag);
        }
        out.put_varint(self.backoff.len() as u64);
        self.backoff.iter().for_each(|&step| out.put_i64(step));
        out.put_varint(self.filter_subjects.len() as u64);
        self.filter_subjects.iter().for_each(|filter| out.put_bytes(filter.as_bytes()));
        out.put_varint(self.metadata.len() as u64);
        for (key, value) in &self.metadata {
            out.put_bytes(key.as_bytes());
            out.put_bytes(value.as_bytes());
        }
    }

    /// Reads what `encode` wrote.
    pub fn decode(reader: &mut Reader<'_>) -> Result<ConsumerConfig, Malformed> {
        if reader.u8()? != VERSION {
            return Err(Malformed);
        }
        let mut text = || reader.string().map(str::to_owned);
        let mut config = ConsumerConfig {
            durable_name: text()?,
            name: text()?,
            description: text()?,
            filter_subject: text()?,
            deliver_subject: text()?,
            deliver_group: text()?,
            sample_freq: text()?,
            deliver_policy: deliver_policy(reader.u8()?)?,
            ack_policy: ack_policy(reader.u8()?)?,
            opt_start_seq: reader.u64()?,
            ..ConsumerConfig::default()
        };
        let timed = reader.bool()?;
        config.opt_start_time = Some(WallTime(reader.u64()?)).filter(|_| timed);
        for field in config.numbers_mut() {
            *field = reader.i64()?;
        }
        config.flow_control = reader.bool()?;
        config.headers_only = reader.bool()?;
        config.mem_storage = reader.bool()?;
        for _ in 0..reader.varint()? {
            config.backoff.push(reader.i64()?);
        }
        for _ in 0..reader.varint()? {
            config.filter_subjects.push(reader.string()?.to_owned());
        }
        for _ in 0..reader.varint()? {
            config.metadata.push((reader.string()?.to_owned(), reader.string()?.to_owned()));
        }
        Ok(config)
    }

    fn numbers(&self) -> [i64; 10] {
        [
            self.ack_wait,
            self.max_deliver,
            self.max_waiting,
            self.max_ack_pending,
            self.max_batch,
            self.max_expires,
            self.max_bytes,
            self.idle_heartbeat,
            self.inactive_threshold,
            self.num_replicas,
        ]
    }

    fn numbers_mut(&mut self) -> [&mut i64; 10] {
        [
            &mut self.ack_wait,
            &mut self.max_deliver,
            &mut self.max_waiting,
            &mut self.max_ack_pending,
            &mut self.max_batch,
            &mut self.max_expires,
            &mut self.max_bytes,
            &mut self.idle_heartbeat,
            &mut self.inactive_threshold,
            &mut self.num_replicas,
        ]
    }
}

fn deliver_policy(byte: u8) -> Result<DeliverPolicy, Malformed> {
    use DeliverPolicy::*;
    [All, Last, New, ByStartSequence, ByStartTime, LastPerSubject]
        .get(usize::from(byte))
        .copied()
        .ok_or(Malformed)
}

fn ack_policy(byte: u8) -> Result<AckPolicy, Malformed> {
    [AckPolicy::None, AckPolicy::All, AckPolicy::Explicit].get(usize::from(byte)).copied().ok_or(Malformed)
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_read_back() {
        let config = ConsumerConfig {
            durable_name: "d".into(),
            name: "n".into(),
            description: "ü".into(),
            deliver_policy: DeliverPolicy::LastPerSubject,
            opt_start_seq: 1,
            opt_start_time: Some(WallTime(2)),
            ack_policy: AckPolicy::Explicit,
            ack_wait: 3,
            max_deliver: -1,
            backoff: vec![4, 5],
            filter_subject: "f".into(),
            filter_subjects: vec!["g".into(), "h.>".into()],
            max_waiting: 6,
            max_ack_pending: 7,
            flow_control: true,
            headers_only: true,
            max_batch: 8,
            max_expires: 9,
            max_bytes: 10,
            deliver_subject: "s".into(),
            deliver_group: "q".into(),
            idle_heartbeat: 11,
            inactive_threshold: 12,
            num_replicas: 1,
            mem_storage: true,
            sample_freq: "30%".into(),
            metadata: vec![("a".into(), "b".into())],
        };
        for config in [config, ConsumerConfig::default()] {
            let mut bytes = Vec::new();
            config.encode(&mut bytes);
            let mut reader = Reader::new(&bytes);
            assert_eq!(ConsumerConfig::decode(&mut reader), Ok(config));
            assert_eq!(reader.finish(), Ok(()));
        }
    }
}
