//! What waits to be handed to shards, here or on other cores, and how much of it there may be.

use crate::client::action::Publish;
use crate::limits::{
    LENT_BYTES_MAX, LENT_ITEMS_MAX, QUEUED_INPUTS_MAX, SPARE_BATCH_ITEMS_MAX, SPARE_BATCHES_MAX,
};
use crate::routing::service::Home;
use bytes::{Buf, Bytes, BytesMut};
use shards::core_server::ShardInput;
use shards::ids::{AccountId, CoreId, Origin, ShardId};
use shards::shard::answer::PubAcks;
use shards::shard::request::{Batch, Item, ItemKind, ReplyTo, Request, Span};
use shards::time::Instant;
use std::collections::VecDeque;

/// The requests of one core to all shards. Lives on: its core.
///
/// Hot requests are gathered in batches that refer to the chunks in which they were read. While a chunk is being read
/// its place in a batch is empty; `end_chunk` fills it.
#[derive(Debug)]
pub struct ShardInputs {
    own: CoreId,
    /// By shard number.
    shards: Vec<ShardQueue>,
    /// By core number: what shards there have not given back.
    lent: Vec<Lent>,
    /// Number of the chunk in hand.
    chunk: u64,
    /// Batches that refer to the chunk in hand.
    open: Vec<OpenChunk>,
    #[expect(clippy::vec_box, reason = "batches travel in their boxes")]
    spare: Vec<Box<Batch>>,
    /// Memory of pub acks that came from other cores; goes back there with batches.
    spare_acks: Vec<PubAcks>,
    /// Where `poll_own` looks first.
    next: usize,
    /// When what is added now was read.
    now: Instant,
}

#[derive(Debug)]
struct ShardQueue {
    home: CoreId,
    queue: VecDeque<ShardInput>,
    /// Inputs polled so far: number of the queue's front.
    polled: u64,
    /// Number of the chunk that the last input of the queue, a batch of this core, refers to last. 0: there is none, or the
    /// last input is something else.
    chunk: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lent {
    items: u64,
    bytes: u64,
    /// Inputs of that core's shards which were not polled yet.
    queued: usize,
}

#[derive(Clone, Copy, Debug)]
struct OpenChunk {
    shard: usize,
    /// Number of the batch in its queue.
    input: u64,
}

/// Messages of one client for one shard, of whichever streams, added one after another. What they have in common is settled once.
#[derive(Debug)]
pub struct ItemRun<'a> {
    /// The shard's.
    pub core: CoreId,
    kind: ItemKind,
    home: Home,
    origin: Origin,
    /// Index of the chunk in the batch.
    number: u32,
    chunk: &'a [u8],
    batch: &'a mut Batch,
    lent: &'a mut Lent,
    /// What was added, with its bytes. Its credit is taken at the end.
    items: u64,
    bytes: u64,
}

impl ShardInputs {
    /// `homes` by shard number.
    pub fn new(own: CoreId, cores: u16, homes: &[CoreId]) -> Self {
        let queue = |&home: &CoreId| ShardQueue { home, queue: VecDeque::new(), polled: 0, chunk: 0 };
        ShardInputs {
            own,
            shards: homes.iter().map(queue).collect(),
            lent: vec![Lent::default(); usize::from(cores)],
            chunk: 1,
            open: Vec::new(),
            spare: Vec::new(),
            spare_acks: Vec::new(),
            next: 0,
            now: Instant::default(),
        }
    }

    /// Notes the time at which everything up to the next call is read.
    pub fn note_time(&mut self, now: Instant) {
        self.now = now;
    }

    /// Core on which a shard lives.
    pub fn home(&self, shard: ShardId) -> CoreId {
        self.shards[usize::from(shard.0)].home
    }

    /// Whether more may be asked of the shards of a core. Like all credit it may be exceeded by one message per connection,
    /// whose bytes are in memory anyway.
    pub fn has_room(&self, core: CoreId) -> bool {
        self.lent[usize::from(core.0)].has_room(0, 0)
    }

    /// Adds a message that lies in the chunk in hand. Some: the core of the shard, if there is no room for more now.
    pub fn push_item(
        &mut self,
        kind: ItemKind,
        home: Home,
        origin: Origin,
        publish: &Publish<'_>,
        chunk: &[u8],
    ) -> Option<CoreId> {
        let has_room = self.item_run(kind, home, origin, publish.account, chunk).push(publish);
        (!has_room).then_some(self.home(home.shard))
    }

    /// Begins to add messages of one account that lie in the chunk in hand.
    pub fn item_run<'a>(
        &'a mut self,
        kind: ItemKind,
        home: Home,
        origin: Origin,
        account: AccountId,
        chunk: &'a [u8],
    ) -> ItemRun<'a> {
        let index = usize::from(home.shard.0);
        let queue = &self.shards[index];
        let is_open = queue.chunk == self.chunk
            && matches!(queue.queue.back(), Some(ShardInput::Batch(batch)) if batch.account == account);
        if !is_open {
            self.open_chunk(home.shard, account);
        }
        let queue = &mut self.shards[index];
        let core = queue.home;
        let lent = &mut self.lent[usize::from(core.0)];
        let batch = last_batch(queue);
        let number = batch.chunks.len() as u32 - 1;
        ItemRun { core, kind, home, origin, number, chunk, batch, lent, items: 0, bytes: 0 }
    }

    /// Adds a message of the broker itself, whose bytes are copied. Nobody waits for its pub ack.
    pub fn push_own(
        &mut self,
        home: Home,
        account: AccountId,
        subject: &[u8],
        headers: &[u8],
        payload: &[u8],
    ) {
        let bytes = Bytes::from([subject, headers, payload].concat());
        let len = bytes.len() as u64;
        let part = |start: usize, len: usize| Span { start: start as u32, len: len as u32 };
        let own = self.own;
        let batch = self.batch(home.shard, account);
        batch.chunks.push(bytes);
        let item = Item {
            kind: ItemKind::Publish,
            group: home.group,
            origin: Origin { core: own, slot: u32::MAX, generation: u32::MAX },
            chunk: batch.chunks.len() as u32 - 1,
            subject: part(0, subject.len()),
            reply: Span::default(),
            headers: part(subject.len(), headers.len()),
            payload: part(subject.len() + headers.len(), payload.len()),
        };
        // The chunk in hand, if it is open here, needs another place now.
        self.shards[usize::from(home.shard.0)].chunk = 0;
        self.add(home.shard, item, len);
    }

    /// Adds a request, behind everything that was added for its shard before.
    pub fn push_request(&mut self, shard: ShardId, to: ReplyTo, request: Request) {
        self.push(shard, ShardInput::Request(to, Box::new(request)));
    }

    /// Adds something that came from another core, or goes from shard to shard on this one.
    pub fn push(&mut self, shard: ShardId, input: ShardInput) {
        let queue = &mut self.shards[usize::from(shard.0)];
        queue.chunk = 0;
        queue.queue.push_back(input);
        self.lent[usize::from(queue.home.0)].queued += 1;
    }

    /// Tells every shard of this core that subscribers changed.
    pub fn push_subscribers_changed(&mut self) {
        for shard in 0..self.shards.len() {
            if self.shards[shard].home == self.own {
                self.push(ShardId(shard as u16), ShardInput::SubscribersChanged);
            }
        }
    }

    /// Takes what was consumed from the front of the buffer; batches keep it as a chunk if they refer to it.
    pub fn end_chunk(&mut self, buffer: &mut BytesMut, consumed: usize) {
        if self.open.is_empty() {
            buffer.advance(consumed);
            return;
        }
        let chunk = buffer.split_to(consumed).freeze();
        for OpenChunk { shard, input } in self.open.drain(..) {
            let queue = &mut self.shards[shard];
            let place = (input - queue.polled) as usize;
            if let Some(ShardInput::Batch(batch)) = queue.queue.get_mut(place) {
                for open in batch.chunks.iter_mut().filter(|chunk| chunk.is_empty()) {
                    *open = chunk.clone();
                }
            }
        }
        self.chunk += 1;
    }

    /// The next input of a shard of this core. Not while a chunk is being read.
    pub fn poll_own(&mut self) -> Option<(ShardId, ShardInput)> {
        self.poll_home(self.own)
    }

    /// The next input of a shard of that core: from one shard after another, in order from each.
    pub fn poll_home(&mut self, home: CoreId) -> Option<(ShardId, ShardInput)> {
        if self.lent[usize::from(home.0)].queued == 0 {
            return None;
        }
        let count = self.shards.len();
        let order = (self.next..count).chain(0..self.next);
        for shard in order {
            let queue = &mut self.shards[shard];
            if queue.home != home {
                continue;
            }
            if let Some(input) = queue.queue.pop_front() {
                queue.polled += 1;
                self.lent[usize::from(home.0)].queued -= 1;
                self.next = (shard + 1) % count;
                return Some((ShardId(shard as u16), input));
            }
        }
        None
    }

    /// Whether a shard of this core has input.
    pub fn has_own(&self) -> bool {
        self.lent[usize::from(self.own.0)].queued > 0
    }

    /// A batch is back from a core: its credit returns, its memory is used again.
    pub fn take_back(&mut self, from: CoreId, mut batch: Box<Batch>) {
        let lent = &mut self.lent[usize::from(from.0)];
        lent.items = lent.items.saturating_sub(batch.credit_items);
        lent.bytes = lent.bytes.saturating_sub(batch.credit_bytes);
        batch.chunks.clear();
        batch.items.clear();
        (batch.credit_items, batch.credit_bytes) = (0, 0);
        if self.spare.len() < SPARE_BATCHES_MAX && batch.items.capacity() <= SPARE_BATCH_ITEMS_MAX {
            self.spare.push(batch);
        }
    }

    /// Keeps the memory of pub acks that another core sent.
    pub fn keep_acks(&mut self, acks: PubAcks) {
        if self.spare_acks.len() < SPARE_BATCHES_MAX {
            self.spare_acks.push(acks);
        }
    }

    /// Makes the last input of a shard's queue a batch with a place for the chunk in hand as its last.
    fn open_chunk(&mut self, shard: ShardId, account: AccountId) {
        self.batch(shard, account).chunks.push(Bytes::new());
        let index = usize::from(shard.0);
        let queue = &mut self.shards[index];
        queue.chunk = self.chunk;
        let input = queue.polled + queue.queue.len() as u64 - 1;
        self.open.push(OpenChunk { shard: index, input });
    }

    /// The batch at the end of a shard's queue: a new one if there is something else.
    fn batch(&mut self, shard: ShardId, account: AccountId) -> &mut Batch {
        let index = usize::from(shard.0);
        let last = self.shards[index].queue.back();
        if !matches!(last, Some(ShardInput::Batch(batch)) if batch.account == account && batch.origin == self.own)
        {
            let mut batch = self.spare.pop().unwrap_or_default();
            batch.account = account;
            batch.read_at = self.now;
            batch.origin = self.own;
            if self.shards[index].home != self.own && batch.spare_acks.acks.capacity() == 0 {
                batch.spare_acks = self.spare_acks.pop().unwrap_or_default();
            }
            self.push(shard, ShardInput::Batch(batch));
        }
        last_batch(&mut self.shards[index])
    }

    /// Adds an item to the batch at the end of a shard's queue.
    fn add(&mut self, shard: ShardId, item: Item, bytes: u64) {
        let queue = &mut self.shards[usize::from(shard.0)];
        let lent = &mut self.lent[usize::from(queue.home.0)];
        lent.items += 1;
        lent.bytes += bytes;
        if let Some(ShardInput::Batch(batch)) = queue.queue.back_mut() {
            batch.credit_items += 1;
            batch.credit_bytes += bytes;
            batch.items.push(item);
        }
    }
}

impl Lent {
    /// Whether there is room behind so much that is about to be added.
    #[inline]
    fn has_room(&self, items: u64, bytes: u64) -> bool {
        self.items + items < LENT_ITEMS_MAX
            && self.bytes + bytes < LENT_BYTES_MAX
            && self.queued < QUEUED_INPUTS_MAX
    }
}

impl ItemRun<'_> {
    /// What follows goes there. False: that is another shard, for which another run has to be begun.
    #[inline]
    pub fn turn_to(&mut self, kind: ItemKind, home: Home) -> bool {
        let is_here = home.shard == self.home.shard;
        if is_here {
            (self.kind, self.home) = (kind, home);
        }
        is_here
    }

    /// Adds a message. False: there is no room for more.
    #[inline(always)]
    pub fn push(&mut self, publish: &Publish<'_>) -> bool {
        let at = |part| span(self.chunk, part);
        self.batch.items.push(Item {
            kind: self.kind,
            group: self.home.group,
            origin: self.origin,
            chunk: self.number,
            subject: at(publish.subject),
            reply: at(publish.reply),
            headers: at(publish.headers),
            payload: at(publish.payload),
        });
        self.items += 1;
        self.bytes += (publish.subject.len() + publish.reply.len() + publish.len()) as u64;
        self.lent.has_room(self.items, self.bytes)
    }
}

/// Takes the credit.
impl Drop for ItemRun<'_> {
    fn drop(&mut self) {
        self.lent.items += self.items;
        self.lent.bytes += self.bytes;
        self.batch.credit_items += self.items;
        self.batch.credit_bytes += self.bytes;
    }
}

/// The batch that was just made the last input of a queue.
fn last_batch(queue: &mut ShardQueue) -> &mut Batch {
    match queue.queue.back_mut() {
        Some(ShardInput::Batch(batch)) => batch,
        _ => unreachable!("the last input is a batch"),
    }
}

/// Where a part lies in the chunk. Every part is a slice of it, or empty.
fn span(chunk: &[u8], part: &[u8]) -> Span {
    if part.is_empty() {
        return Span::default();
    }
    let start = part.as_ptr() as usize - chunk.as_ptr() as usize;
    debug_assert!(start + part.len() <= chunk.len());
    Span { start: start as u32, len: part.len() as u32 }
}

#[cfg(test)]
#[path = "inputs_test.rs"]
mod tests;
