//! Names with a value each; finds those that a name is or lies below.
//!
//! In: keys with values, once; then a key. Out: the values of it and of its parents, the longest name first.
//! Always: allocates nothing once it is made.

/// See the page's first lines.
#[derive(Debug)]
pub struct Suffixes<T> {
    /// Sorted by key, so that a name follows its parents.
    rows: Vec<Row<T>>,
}

#[derive(Debug)]
struct Row<T> {
    key: Box<[u8]>,
    /// The row of the nearest parent.
    parent: Option<u32>,
    value: T,
}

impl<T> Default for Suffixes<T> {
    fn default() -> Suffixes<T> {
        Suffixes { rows: Vec::new() }
    }
}

impl<T: Copy> Suffixes<T> {
    /// Of equal keys the first one counts.
    pub fn new(names: impl IntoIterator<Item = (Box<[u8]>, T)>) -> Suffixes<T> {
        let mut rows: Vec<Row<T>> = names
            .into_iter()
            .map(|(key, value)| Row {
                key,
                parent: None,
                value,
            })
            .collect();
        // Stable: of equal names the first comes first and stays.
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        rows.dedup_by(|later, first| later.key == first.key);
        let mut open: Vec<u32> = Vec::new();
        for index in 0..rows.len() {
            while open
                .last()
                .is_some_and(|&at| !rows[index].key.starts_with(&rows[at as usize].key))
            {
                open.pop();
            }
            rows[index].parent = open.last().copied();
            open.push(index as u32);
        }
        Suffixes { rows }
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The names that are `key` or a parent of it, the longest first: the bytes of each one's key, and its value.
    #[inline]
    pub fn all<'k>(&'k self, key: &'k [u8]) -> impl Iterator<Item = (&'k [u8], T)> {
        let mut at = self.rows.partition_point(|row| row.key.as_ref() <= key).checked_sub(1);
        std::iter::from_fn(move || {
            while let Some(index) = at {
                let row = &self.rows[index];
                at = row.parent.map(|parent| parent as usize);
                if key.starts_with(&row.key) {
                    return Some((&*row.key, row.value));
                }
            }
            None
        })
    }

    /// Bytes it takes.
    pub fn size_bytes(&self) -> usize {
        let row = |row: &Row<T>| size_of::<Row<T>>() + row.key.len();
        self.rows.iter().map(row).sum()
    }
}
