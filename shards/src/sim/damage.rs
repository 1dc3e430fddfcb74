//! Bits flip on one disk while the node is down. What is served afterwards is right, on the other disks everything is as it was,
//! and whatever is missing is reported: as lost in the stream's info, or as damage by the recovery of that disk.

use super::model::Verdict;
use super::op::Kind;
use super::run::Run;
use crate::shard::Shard;

impl Run {
    /// A few flips, in payloads or anywhere, and what clients and the server log see of it.
    pub(super) fn damage(&mut self) -> Verdict {
        self.end_life();
        self.node.crash(false);
        let shard = self.random.below(self.node.disks.len() as u64) as usize;
        let anywhere = self.random.percent(50);
        if anywhere {
            for _ in 0..self.random.between(1, 4) {
                let place = self.node.disks[shard].flip_somewhere(&mut self.random);
                self.note(format_args!("a bit flips on shard {shard}: {place:?}"));
            }
        } else {
            self.flip_payloads(shard);
        }
        self.clients.model.is_damaged = true;
        self.clients.model.is_damaged_anywhere = anywhere;
        if !self.open(shard)? {
            return Ok(());
        }
        self.audit()?;
        let names: Vec<String> = self.clients.model.streams.keys().cloned().collect();
        for stream in names {
            self.ask(Kind::StreamInfo { stream });
        }
        self.settle()?;
        self.check_reported(shard)
    }

    fn flip_payloads(&mut self, shard: usize) {
        let model = &self.clients.model;
        let payloads = model.live_streams().filter(|(_, s)| !s.is_memory()).flat_map(|(_, s)| s.seen());
        let payloads = payloads.filter_map(|(_, id)| match &model.ops.get(&id)?.kind {
            Kind::Publish(publish) if publish.payload.len() > 40 => Some(publish.payload[..17].to_vec()),
            _ => None,
        });
        let payloads: Vec<Vec<u8>> = payloads.collect();
        for _ in 0..payloads.len().min(6) {
            let pattern = self.random.pick(&payloads);
            self.node.disks[shard].damage(pattern, pattern.len() - 1);
        }
        self.note(format_args!("bits of stored messages flip on shard {shard}"));
    }

    /// Starts. False: the damaged shard says that it cannot be opened.
    fn open(&mut self, damaged: usize) -> Result<bool, String> {
        self.boot();
        let end = self.node.now + super::run::PATIENCE;
        while !self.node.is_settled() {
            let closed: Vec<(usize, String)> = self
                .node
                .shards()
                .filter_map(|shard| Some((usize::from(shard.id().0), format!("{:?}", shard.open_error()?))))
                .collect();
            if let Some((shard, error)) = closed.first() {
                self.note(format_args!("shard {shard} does not open: {error}"));
                return if *shard == damaged { Ok(false) } else { Err(format!("shard {shard}: {error}")) };
            }
            if !self.node.step(end) {
                return Err("the node does not serve after bits have flipped".to_owned());
            }
            self.clients.hear(&mut self.node)?;
        }
        Ok(true)
    }

    /// Every acked message is there, or named as lost, or the recovery of its disk has reported damage.
    fn check_reported(&mut self, damaged: usize) -> Verdict {
        let is_reported =
            self.node.shards().filter(|shard| usize::from(shard.id().0) == damaged).any(reports_damage);
        let wall = self.node.latest_wall();
        let server = &self.node.cores[0].server;
        let model = &self.clients.model;
        for (name, stream) in model.live_streams().filter(|(_, stream)| !stream.is_memory()) {
            let Some(known) = server.stream(name) else {
                if is_reported {
                    continue;
                }
                return Err(format!("stream {name} is gone, and no damage is reported"));
            };
            // The catalog may have forgotten what happened to a stream elsewhere.
            let may_report = is_reported && (usize::from(known.shard.0) == damaged || damaged == 0);
            let here = self.clients.found.get(name);
            for (seq, id) in stream.seen() {
                let is_here = here.is_some_and(|here| here.contains(&seq));
                let is_lost = self.clients.lost(name).contains(&seq);
                if !is_here && !is_lost && !may_report && !stream.may_be_gone(model, seq, id, wall) {
                    return Err(format!("{name} has lost message {seq} of operation {id} without a word"));
                }
            }
        }
        Ok(())
    }
}

fn reports_damage(shard: &Shard) -> bool {
    let (report, unreadable) = shard.recovery();
    !report.damage.is_empty() || !report.foreign_files.is_empty() || report.bytes_cut > 0 || unreadable > 0
}
