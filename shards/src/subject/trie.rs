//! A trie from patterns to values: which of many patterns match a subject.
//!
//! One node per token, all nodes in one vector. Literal children are found through one hash table for the whole trie, keyed
//! by (parent, token), so a node with a hundred thousand children costs no more to pass than one with three; siblings are
//! also linked, for the walks that must see all of them. A pattern below a shared prefix takes about 100 bytes and its
//! last token.

use super::{Tokens, has_empty_token, tokens};
use crate::hashing::FixedState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher};

/// Values under patterns. A pattern may hold several values; they are visited in the order of insertion.
///
/// Visits are ordered: at each token the literal child, then `*`, then `>`. So the same history of inserts and removals
/// gives the same visits.
#[derive(Debug)]
pub struct Trie<V> {
    nodes: Vec<Node<V>>,
    /// First node of the list of free ones, linked by `next_sibling`.
    free: u32,
    literals: HashTable<u32>,
    len: usize,
}

#[derive(Debug)]
struct Node<V> {
    parent: u32,
    first_child: u32,
    next_sibling: u32,
    previous_sibling: u32,
    /// Child `*`.
    one: u32,
    /// Child `>`.
    rest: u32,
    token: Box<[u8]>,
    values: Values<V>,
}

/// Nearly every pattern has one value.
#[derive(Debug)]
enum Values<V> {
    None,
    One(V),
    #[expect(clippy::box_collection, reason = "keeps the common case small")]
    Many(Box<Vec<V>>),
}

impl<V> Default for Trie<V> {
    fn default() -> Self {
        Trie { nodes: vec![Node::new(NONE, b"")], free: NONE, literals: HashTable::new(), len: 0 }
    }
}

impl<V> Trie<V> {
    /// Values held.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a value. `pattern` must be valid.
    pub fn insert(&mut self, pattern: &[u8], value: V) {
        let mut node = ROOT;
        for token in tokens(pattern) {
            node = self.child(node, token).unwrap_or_else(|| self.add_child(node, token));
        }
        self.nodes[node as usize].values.push(value);
        self.len += 1;
    }

    /// Takes out the first value under exactly this pattern for which `wanted` says so.
    pub fn remove(&mut self, pattern: &[u8], wanted: impl FnMut(&V) -> bool) -> Option<V> {
        let node = self.find(pattern)?;
        let value = self.nodes[node as usize].values.remove(wanted)?;
        self.len -= 1;
        self.prune(node);
        Some(value)
    }

    /// The values under exactly this pattern.
    pub fn get(&self, pattern: &[u8]) -> &[V] {
        self.find(pattern).map_or(&[], |node| self.nodes[node as usize].values.as_slice())
    }

    /// As `get`, to change them.
    pub fn get_mut(&mut self, pattern: &[u8]) -> &mut [V] {
        match self.find(pattern) {
            Some(node) => self.nodes[node as usize].values.as_mut_slice(),
            None => &mut [],
        }
    }

    /// Calls `visit` for the values of all patterns that match a published subject. Wildcards in `subject` are plain bytes;
    /// a subject with an empty token matches nothing.
    pub fn visit_matches<'a>(&'a self, subject: &[u8], mut visit: impl FnMut(&'a V)) {
        if !self.is_empty() && !has_empty_token(subject) {
            self.walk_matches(ROOT, tokens(subject), &mut visit);
        }
    }

    /// Calls `visit` for the values of all patterns that collide with a pattern: some subject matches both. `pattern` must
    /// be valid.
    pub fn visit_colliding<'a>(&'a self, pattern: &[u8], mut visit: impl FnMut(&'a V)) {
        if !self.is_empty() {
            self.walk_colliding(ROOT, tokens(pattern), &mut visit);
        }
    }

    /// Whether some pattern has a literal token where subjects have the token behind `prefix`, which is the start of them. In
    /// time that does not depend on how many there are.
    pub fn has_literal_behind(&self, prefix: &[u8]) -> bool {
        self.walk_literals(ROOT, tokens(prefix))
    }

    /// Calls `visit` for every value.
    pub fn visit_all<'a>(&'a self, mut visit: impl FnMut(&'a V)) {
        self.walk_below(ROOT, &mut visit);
    }

    fn walk_matches<'a>(&'a self, node: u32, mut rest: Tokens<'_>, visit: &mut impl FnMut(&'a V)) {
        let here = &self.nodes[node as usize];
        let Some(token) = rest.next() else {
            here.values.as_slice().iter().for_each(visit);
            return;
        };
        if let Some(child) = self.literal_child(node, token) {
            self.walk_matches(child, rest.clone(), visit);
        }
        if here.one != NONE {
            self.walk_matches(here.one, rest, visit);
        }
        self.visit_node(here.rest, visit);
    }

    fn walk_literals(&self, node: u32, mut rest: Tokens<'_>) -> bool {
        let here = &self.nodes[node as usize];
        let Some(token) = rest.next() else { return here.first_child != NONE };
        self.literal_child(node, token).is_some_and(|child| self.walk_literals(child, rest.clone()))
            || here.one != NONE && self.walk_literals(here.one, rest)
    }

    fn walk_colliding<'a>(&'a self, node: u32, mut rest: Tokens<'_>, visit: &mut impl FnMut(&'a V)) {
        let here = &self.nodes[node as usize];
        match rest.next() {
            None => {
                here.values.as_slice().iter().for_each(visit);
                return;
            }
            Some(b">") => {
                for child in self.children(node) {
                    self.walk_below(child, visit);
                }
                return;
            }
            Some(b"*") => {
                for child in self.children(node).filter(|&child| child != here.rest) {
                    self.walk_colliding(child, rest.clone(), visit);
                }
            }
            Some(token) => {
                if let Some(child) = self.literal_child(node, token) {
                    self.walk_colliding(child, rest.clone(), visit);
                }
                if here.one != NONE {
                    self.walk_colliding(here.one, rest, visit);
                }
            }
        }
        self.visit_node(here.rest, visit);
    }

    fn walk_below<'a>(&'a self, node: u32, visit: &mut impl FnMut(&'a V)) {
        self.visit_node(node, visit);
        for child in self.children(node) {
            self.walk_below(child, visit);
        }
    }

    fn visit_node<'a>(&'a self, node: u32, visit: &mut impl FnMut(&'a V)) {
        if node != NONE {
            self.nodes[node as usize].values.as_slice().iter().for_each(visit);
        }
    }

    /// Literal children, then `*`, then `>`.
    fn children(&self, node: u32) -> impl Iterator<Item = u32> {
        let here = &self.nodes[node as usize];
        let first = Some(here.first_child).filter(|&child| child != NONE);
        let literal = std::iter::successors(first, |&child| {
            Some(self.nodes[child as usize].next_sibling).filter(|&next| next != NONE)
        });
        literal.chain([here.one, here.rest].into_iter().filter(|&child| child != NONE))
    }

    fn find(&self, pattern: &[u8]) -> Option<u32> {
        tokens(pattern).try_fold(ROOT, |node, token| self.child(node, token))
    }

    fn child(&self, node: u32, token: &[u8]) -> Option<u32> {
        let child = match token {
            b"*" => self.nodes[node as usize].one,
            b">" => self.nodes[node as usize].rest,
            _ => return self.literal_child(node, token),
        };
        (child != NONE).then_some(child)
    }

    fn literal_child(&self, parent: u32, token: &[u8]) -> Option<u32> {
        let is_it = |&child: &u32| {
            let node = &self.nodes[child as usize];
            node.parent == parent && *node.token == *token
        };
        self.literals.find(hash_edge(parent, token), is_it).copied()
    }

    fn add_child(&mut self, parent: u32, token: &[u8]) -> u32 {
        let child = self.allocate(Node::new(parent, if is_wildcard(token) { b"" } else { token }));
        match token {
            b"*" => self.nodes[parent as usize].one = child,
            b">" => self.nodes[parent as usize].rest = child,
            _ => {
                let first = std::mem::replace(&mut self.nodes[parent as usize].first_child, child);
                self.nodes[child as usize].next_sibling = first;
                if first != NONE {
                    self.nodes[first as usize].previous_sibling = child;
                }
                let nodes = &self.nodes;
                self.literals.insert_unique(hash_edge(parent, token), child, |&node| {
                    let node = &nodes[node as usize];
                    hash_edge(node.parent, &node.token)
                });
            }
        }
        child
    }

    /// Frees a node without values and children, then its parent if that is now the same.
    fn prune(&mut self, mut node: u32) {
        while node != ROOT && self.nodes[node as usize].is_bare() {
            let parent = self.nodes[node as usize].parent;
            self.unlink(node);
            self.nodes[node as usize] = Node::new(NONE, b"");
            self.nodes[node as usize].next_sibling = std::mem::replace(&mut self.free, node);
            node = parent;
        }
    }

    fn unlink(&mut self, child: u32) {
        let node = &self.nodes[child as usize];
        let (parent, next, previous) = (node.parent, node.next_sibling, node.previous_sibling);
        let above = &mut self.nodes[parent as usize];
        if above.one == child {
            above.one = NONE;
            return;
        }
        if above.rest == child {
            above.rest = NONE;
            return;
        }
        match previous {
            NONE => above.first_child = next,
            _ => self.nodes[previous as usize].next_sibling = next,
        }
        if next != NONE {
            self.nodes[next as usize].previous_sibling = previous;
        }
        let hash = hash_edge(parent, &self.nodes[child as usize].token);
        if let Ok(entry) = self.literals.find_entry(hash, |&node| node == child) {
            entry.remove();
        }
    }

    fn allocate(&mut self, node: Node<V>) -> u32 {
        if self.free != NONE {
            let slot = self.free;
            self.free = self.nodes[slot as usize].next_sibling;
            self.nodes[slot as usize] = node;
            return slot;
        }
        let slot = u32::try_from(self.nodes.len()).expect("memory ends before four billion nodes");
        self.nodes.push(node);
        slot
    }
}

impl<V> Node<V> {
    fn new(parent: u32, token: &[u8]) -> Self {
        Node {
            parent,
            first_child: NONE,
            next_sibling: NONE,
            previous_sibling: NONE,
            one: NONE,
            rest: NONE,
            token: token.into(),
            values: Values::None,
        }
    }

    fn is_bare(&self) -> bool {
        matches!(self.values, Values::None)
            && self.first_child == NONE
            && self.one == NONE
            && self.rest == NONE
    }
}

impl<V> Values<V> {
    fn as_slice(&self) -> &[V] {
        match self {
            Values::None => &[],
            Values::One(value) => std::slice::from_ref(value),
            Values::Many(values) => values,
        }
    }

    fn as_mut_slice(&mut self) -> &mut [V] {
        match self {
            Values::None => &mut [],
            Values::One(value) => std::slice::from_mut(value),
            Values::Many(values) => values,
        }
    }

    fn push(&mut self, value: V) {
        *self = match std::mem::replace(self, Values::None) {
            Values::None => Values::One(value),
            Values::One(first) => Values::Many(Box::new(vec![first, value])),
            Values::Many(mut values) => {
                values.push(value);
                Values::Many(values)
            }
        };
    }

    fn remove(&mut self, wanted: impl FnMut(&V) -> bool) -> Option<V> {
        let place = self.as_slice().iter().position(wanted)?;
        match std::mem::replace(self, Values::None) {
            Values::None => None,
            Values::One(value) => Some(value),
            Values::Many(mut values) => {
                let value = values.remove(place);
                *self = match values.len() {
                    1 => Values::One(values.pop()?),
                    _ => Values::Many(values),
                };
                Some(value)
            }
        }
    }
}

fn is_wildcard(token: &[u8]) -> bool {
    matches!(token, b"*" | b">")
}

fn hash_edge(parent: u32, token: &[u8]) -> u64 {
    let mut hasher = FixedState.build_hasher();
    hasher.write_u32(parent);
    hasher.write(token);
    hasher.finish()
}

const ROOT: u32 = 0;
const NONE: u32 = u32::MAX;

#[cfg(test)]
#[path = "trie_test.rs"]
mod tests;
