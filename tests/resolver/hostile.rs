//! The corpus of the iterator's fuzz target, whole and damaged.

use std::path::Path;

#[path = "../../fuzz/fuzz_targets/iterator.rs"]
mod iterator;

#[test]
fn whatever_servers_say_a_resolution_ends_within_its_bounds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/iterate");
    let mut read = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        read += 1;
        iterator::run(&bytes);
        for at in 0..bytes.len() {
            iterator::run(&bytes[..at]);
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                iterator::run(&damaged);
            }
        }
    }
    assert!(read >= 8, "{read} files");
}
