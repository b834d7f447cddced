//! Forged files, for tests: content that is wrong under checksums that are right, as a buggy or
//! hostile writer leaves it.

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;
use serde_json::Value;

use super::sealed::{Kind, SealedFile, SealedWriter};

/// Numbers that break arithmetic where a count or an offset is believed.
const ODD: [u64; 9] = [
    0,
    1,
    2,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
    i64::MAX as u64,
    u64::MAX,
];

/// One change of one table.
#[derive(Clone, Debug)]
pub(crate) struct Forgery {
    table: Index,
    at: Index,
    change: Change,
}

#[derive(Clone, Debug)]
enum Change {
    /// These bytes stand there instead, also beyond the end.
    Bytes(Vec<u8>),
    /// A number of so many bytes stands at a multiple of its width.
    Number(u64, usize),
    /// The table ends there.
    Cut,
    /// So many bytes are missing there.
    Without(usize),
    /// So many bytes stand there twice.
    Twice(usize),
}

/// One to three changes.
pub(crate) fn forgeries() -> impl Strategy<Value = Vec<Forgery>> {
    let number = prop_oneof![
        prop::sample::select(ODD.to_vec()),
        (0u64..64),
        any::<u64>(),
        any::<f32>().prop_map(|x| x.to_bits().into()),
        Just(f32::NAN.to_bits().into()),
    ];
    let change = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..9).prop_map(Change::Bytes),
        (number, prop::sample::select(vec![2, 4, 4, 8]))
            .prop_map(|(number, width)| Change::Number(number, width)),
        Just(Change::Cut),
        (1usize..40).prop_map(Change::Without),
        (1usize..40).prop_map(Change::Twice),
    ];
    let forgery = (any::<Index>(), any::<Index>(), change);
    let forgery = forgery.prop_map(|(table, at, change)| Forgery { table, at, change });
    prop::collection::vec(forgery, 1..4)
}

impl Forgery {
    /// Changes one of `tables`.
    pub(crate) fn apply<'a>(&self, tables: impl IntoIterator<Item = &'a mut Vec<u8>>) {
        let mut tables: Vec<&mut Vec<u8>> = tables.into_iter().collect();
        if !tables.is_empty() {
            let chosen = self.table.index(tables.len());
            self.change(tables[chosen]);
        }
    }

    fn change(&self, table: &mut Vec<u8>) {
        let at = self.at.index(table.len() + 1);
        match &self.change {
            Change::Bytes(bytes) => put(table, at, bytes),
            Change::Number(number, width) => {
                put(table, at / width * width, &number.to_le_bytes()[..*width]);
            }
            Change::Cut => table.truncate(at),
            Change::Without(n) => drop(table.drain(at..table.len().min(at + n))),
            Change::Twice(n) => {
                let again = table[at..table.len().min(at + n)].to_vec();
                table.splice(at..at, again);
            }
        }
    }
}

impl Forgery {
    /// Changes one value of a JSON document, or one of its numbers.
    pub(crate) fn apply_to(&self, document: &mut Value) {
        let mut left = self.table.index(count(document));
        let Some(value) = nth(document, &mut left) else {
            return;
        };
        match (&self.change, &mut *value) {
            (Change::Twice(_), Value::Array(items)) => {
                if let Some(first) = items.first().cloned() {
                    items.push(first);
                }
            }
            (Change::Cut | Change::Without(_), Value::Array(items)) => {
                items.truncate(self.at.index(items.len() + 1));
            }
            (Change::Cut, value) => *value = Value::Null,
            (Change::Number(number, _), value) => *value = (*number).into(),
            (Change::Without(n) | Change::Twice(n), value) => {
                let odd = ["", "/", "../..", "/dev/zero", "\u{0}", "g000001"];
                *value = odd[n % odd.len()].into();
            }
            (Change::Bytes(bytes), value) => *value = String::from_utf8_lossy(bytes).into(),
        }
    }
}

/// Values of a document, itself included.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

/// The value before which `left` others stand.
fn nth<'a>(value: &'a mut Value, left: &mut usize) -> Option<&'a mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| nth(item, left)),
        Value::Object(fields) => fields.values_mut().find_map(|field| nth(field, left)),
        _ => None,
    }
}

fn put(table: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    for (i, byte) in bytes.iter().enumerate() {
        match table.get_mut(at + i) {
            Some(old) => *old = *byte,
            None => table.push(*byte),
        }
    }
}

/// Gives forgeries to `test`, so many times.
pub(crate) fn each(cases: u32, test: impl Fn(&[Forgery])) {
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    };
    let run = |forgeries: Vec<Forgery>| {
        test(&forgeries);
        Ok(())
    };
    TestRunner::new(config).run(&forgeries(), run).unwrap();
}

/// Changes the sections of a sealed file and seals it again.
pub(crate) fn forge(path: &Path, forgeries: &[Forgery]) {
    let (kind, mut sections) = sections(path);
    for forgery in forgeries {
        forgery.apply(sections.iter_mut().map(|(_, bytes)| bytes));
    }
    seal(path, kind, &sections);
}

/// The kind of a sealed file, and its sections by their names.
pub(crate) fn sections(path: &Path) -> (Kind, Vec<(String, Vec<u8>)>) {
    let file = SealedFile::open_any(path).unwrap();
    let read = |name: &str| {
        let span = file.span(name).unwrap();
        (name.to_owned(), file.bytes()[span].to_vec())
    };
    (file.kind(), file.names().map(read).collect())
}

/// Writes a sealed file of these sections, whose checksums are right.
pub(crate) fn seal(path: &Path, kind: Kind, sections: &[(String, Vec<u8>)]) {
    // Whoever has the old one mapped keeps it.
    let _ = std::fs::remove_file(path);
    let mut writer = SealedWriter::create(path, kind).unwrap();
    for (name, bytes) in sections {
        writer.begin(name).unwrap();
        writer.write(bytes).unwrap();
    }
    writer.finish().unwrap();
}
