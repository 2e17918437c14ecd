//! A bounded memory of what was used lately.

use core::hash::Hash;
use std::collections::HashMap;

/// Values by key, at most `capacity` of them.
///
/// Two generations stand in for an exact order of use: when the young one is full it becomes the old one, and what is
/// in the old one and asked for moves over. So whatever was used among the last `capacity / 2` is still there.
#[derive(Debug, Clone)]
pub struct Recent<K, V> {
    generation_max: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash + Copy, V: Copy> Recent<K, V> {
    /// An empty memory; a capacity under two counts as two.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            generation_max: (capacity / 2).max(1),
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }

    /// How many values it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.young.len().saturating_add(self.old.len())
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.young.is_empty() && self.old.is_empty()
    }

    /// The value of this key, without counting as a use.
    #[must_use]
    pub fn peek(&self, key: &K) -> Option<V> {
        self.young.get(key).or_else(|| self.old.get(key)).copied()
    }

    /// The value of this key, which is used by that.
    #[must_use]
    pub fn get(&mut self, key: &K) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(*value);
        }
        let value = self.old.remove(key)?;
        self.put(*key, value);
        Some(value)
    }

    /// Keeps a value, in place of an older one of the same key.
    pub fn put(&mut self, key: K, value: V) {
        if self.young.len() >= self.generation_max && !self.young.contains_key(&key) {
            self.old = core::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}
